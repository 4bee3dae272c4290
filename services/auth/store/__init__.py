"""Accounts in PostgreSQL, and failed logins in Redis."""
