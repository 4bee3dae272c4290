"""Tuning: a search for the settings that are best in cost, latency and freshness within the scenario's limits."""
