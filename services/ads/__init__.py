"""House ads: what the feed shows in its ad slots."""
