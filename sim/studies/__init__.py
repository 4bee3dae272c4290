"""Studies: many simulations of one scenario that differ in settings or seed; pure, somebody else simulates."""
