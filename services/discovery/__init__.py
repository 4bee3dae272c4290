"""Popular posts, which the feed recommends."""
