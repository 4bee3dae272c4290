"""The command line: `windtunnel COMMAND`. Commands are imported when called, so that `--help` answers at once."""

import sys

try:
    from cli.main import main
except KeyboardInterrupt:  # Ctrl-C before there is a command line that could handle it
    sys.exit(130)

__all__ = ["main"]
