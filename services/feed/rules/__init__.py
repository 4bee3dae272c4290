"""The feed's decisions: what a page holds, and where the next one begins."""
