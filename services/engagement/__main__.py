"""Runs engagement alone: `python -m services.engagement`."""

from services.kit.process import main

main("engagement")
