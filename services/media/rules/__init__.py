"""Decisions about photos: what is one, and what is made of it; bytes in, bytes out."""
