"""Fan-out: pushes new posts into followers' timelines, or leaves them to be pulled."""
