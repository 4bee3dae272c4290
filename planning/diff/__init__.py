"""A diff: two scenarios simulated with common random numbers, and whether each difference can be told from noise."""
