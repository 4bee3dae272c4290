"""Fleets: a system of N statistically identical cells, of which some are simulated and all are told.

Rooms: `cell` (one cell of a fleet as a scenario and a profile), `seen` (what one simulated cell shows), `whole` (the
figures of the fleet, each with its interval), `doubled` (cells twice as large: how much the split itself changes).
"""
