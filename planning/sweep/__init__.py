"""A sweep: one scenario simulated at every place of a grid of settings."""
