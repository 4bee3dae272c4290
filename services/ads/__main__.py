"""Runs ads alone: `python -m services.ads`."""

from services.kit.process import main

main("ads")
