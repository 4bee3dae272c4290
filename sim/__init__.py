"""The model: the same system as the stack, simulated: decisions are shared with it, durations are modelled."""
