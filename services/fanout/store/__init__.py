"""What fan-out reads of posts and edges, and who is a celebrity: in PostgreSQL for good, in Redis for readers."""
