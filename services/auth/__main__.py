"""Runs auth alone: `python -m services.auth`."""

from services.kit.process import main

main("auth")
