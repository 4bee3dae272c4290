"""Photos on their way in: a presigned address to put them to, and the check that they arrived."""
