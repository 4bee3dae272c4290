"""The index in this process' folder, and the rows in PostgreSQL that it is built from."""
