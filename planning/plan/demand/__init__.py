"""Demand of a plan: operations a second, follower counts, and bytes that stores and caches have to hold."""
