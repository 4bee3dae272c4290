"""Posts and edges that fan-out reads, and celebrities: durable in PostgreSQL, published in Redis for readers."""
