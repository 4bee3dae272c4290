"""The feed's data: cards, followed posts, and snapshots of data that all readers share."""
