"""A sweep: one scenario simulated at every point of a grid of settings."""
