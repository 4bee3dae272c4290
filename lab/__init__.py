"""Where the simulated and the measured side meet: measure, calibrate, compare, report."""
