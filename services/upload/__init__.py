"""Uploads of photos: a presigned address to put them to, and the check that they arrived."""
