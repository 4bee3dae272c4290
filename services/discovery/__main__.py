"""Runs discovery alone: `python -m services.discovery`."""

from services.kit.process import main

main("discovery")
