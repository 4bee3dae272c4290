"""Breaks parts of the running system on purpose, proves that they broke, mends them, and says what that showed."""
