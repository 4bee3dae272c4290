"""`python -m lab.cli` is `windtunnel`."""

from lab.cli.main import main

main()
