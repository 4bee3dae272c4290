"""Chaos: faults act, are proven, and are removed whatever dies."""
