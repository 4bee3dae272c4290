"""Simulations as planning needs them: one that is written as a run, or many on processes or a cluster, kept in a
file."""
