"""Fan-out: new posts go into the timelines of those who follow, or are left for them to pull."""
