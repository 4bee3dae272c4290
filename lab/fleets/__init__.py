"""Replications and fleets: cells of a system simulated on a pool until their intervals are narrow, and told."""
