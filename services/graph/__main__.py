"""Runs graph alone: `python -m services.graph`."""

from services.kit.process import main

main("graph")
