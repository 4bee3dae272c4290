"""A plan told: one sentence, a page of the terminal, a record for programs, a page with charts."""
