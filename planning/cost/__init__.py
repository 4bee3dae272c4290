"""What a system costs: a dated price book, and one bill for simulated and measured runs."""
