"""Processing of photos: the event that announces one, and the processes that work on it."""
