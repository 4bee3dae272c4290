"""A sweep: one scenario simulated at every result of a grid of settings."""
