"""Runs every member component of this process: `python -m services`."""

from services.kit.process import main

main()
