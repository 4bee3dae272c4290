"""Runs stories alone: `python -m services.stories`."""

from services.kit.process import main

main("stories")
