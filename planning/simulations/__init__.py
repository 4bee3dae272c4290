"""Runs simulations for planning: a single one that is written as a run, or many on processes or a cluster."""
