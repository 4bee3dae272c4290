"""What sweep, diff and tune have in common: grids of settings, their values as text, differences with intervals."""
