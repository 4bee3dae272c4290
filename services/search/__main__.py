"""Runs search alone: `python -m services.search`."""

from services.kit.process import main

main("search")
