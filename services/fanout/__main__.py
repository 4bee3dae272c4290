"""Runs this service alone: `python -m services.fanout`."""

from services.kit.process import main

main("fanout")
