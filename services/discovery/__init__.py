"""What is popular now: the feed's recommendations."""
