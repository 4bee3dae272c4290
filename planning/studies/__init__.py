"""Shared by sweep, diff and tune: grids of settings, their values as text, differences with intervals."""
