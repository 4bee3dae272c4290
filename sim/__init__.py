"""The model: it simulates the same system as the stack; decisions are shared with the services, durations modelled."""
