"""Runs this service alone: `python -m services.media`."""

from services.kit.process import main

main("media")
