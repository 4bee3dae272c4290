"""Runs this service alone: `python -m services.posts`."""

from services.kit.process import main

main("posts")
