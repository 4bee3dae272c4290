"""Chaos: faults act, are proved, and are mended whatever dies."""
