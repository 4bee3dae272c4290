"""Runs feed alone: `python -m services.feed`."""

from services.kit.process import main

main("feed")
