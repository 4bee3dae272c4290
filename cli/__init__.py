"""The command line: `windtunnel COMMAND`. Commands are imported when called, so that `--help` answers at once."""

from cli.main import main

__all__ = ["main"]
