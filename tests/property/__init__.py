"""Properties of `core` that hold for any input, by hypothesis."""
