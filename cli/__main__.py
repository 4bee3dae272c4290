"""`python -m cli` is `windtunnel`."""

from cli.main import main

main()
