"""Photos in: the event that brings one, and the processes that work on it."""
