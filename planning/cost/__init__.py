"""What a system costs: a dated book of prices, and bills of simulated and measured runs made by the same page."""
