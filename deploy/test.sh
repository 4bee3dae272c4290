#!/bin/sh
# Runs the tests: first in parallel on all cores; then, one after another, those marked `alone` (pyproject.toml says what
# that means, tests/conftest.py which tests get the mark). Arguments are passed to pytest, which then runs everything in
# one process.
set -eu
cd "$(dirname "$0")/.."
select='not bench and not compose'
if [ $# -gt 0 ]; then
  exec .venv/bin/pytest -m "$select" "$@"
fi
status=0
# A module stays on one worker, so that its fixtures are created once.
.venv/bin/pytest -m "$select and not alone" --numprocesses auto --dist loadscope || status=$?
.venv/bin/pytest -m "$select and alone" || status=$?
exit "$status"
