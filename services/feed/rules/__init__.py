"""The feed's decisions: the items of a page, and the start of the next one."""
