"""Finds people and hashtags, within two seconds of their appearance."""
