#!/bin/sh
# Runs the tests: first side by side, on all cores; then, one after the other, those that are `alone` (pyproject.toml says
# what that means, tests/conftest.py which are by what they use). With arguments, pytest gets those and runs everything
# in one process.
set -eu
cd "$(dirname "$0")/.."
select='not bench and not compose'
if [ $# -gt 0 ]; then
  exec .venv/bin/pytest -m "$select" "$@"
fi
status=0
# A module stays on one worker, which so makes the module's fixtures once.
.venv/bin/pytest -m "$select and not alone" --numprocesses auto --dist loadscope || status=$?
.venv/bin/pytest -m "$select and alone" || status=$?
exit "$status"
