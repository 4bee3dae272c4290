"""The home feed: four sources, one page."""
