"""A diff: two scenarios simulated with common random numbers, and whether each difference is more than noise."""
