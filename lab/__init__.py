"""The only place where the islands meet: simulate, measure, calibrate, compare, report, and the command line."""
