"""Runs this service alone: `python -m services.upload`."""

from services.kit.process import main

main("upload")
