"""Fleets: systems of N statistically identical cells, of which some are simulated to estimate the whole.

`cell` makes one cell of a fleet as a scenario and a profile, `seen` holds the results of a simulated cell, `whole` has
the figures of the fleet with their intervals, and `doubled` uses cells twice as large to measure the error of the
division.
"""
