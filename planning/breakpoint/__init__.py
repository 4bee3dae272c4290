"""Breakpoint: the smallest burst or fault after which a system does not come back by itself, found on the model."""
