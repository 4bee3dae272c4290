"""What the feed keeps and asks: cards, followed posts, and snapshots of what is the same for everybody."""
