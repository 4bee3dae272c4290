"""Decisions about photos: what is accepted as one, and how it is rendered; bytes in, bytes out."""
