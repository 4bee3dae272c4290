#!/bin/sh
# Runs the tests in three parts: those without servers, in parallel on all cores; then those marked `servers`, in parallel,
# each worker with servers of its own; then, one after another, those marked `alone`. pyproject.toml says what the marks
# mean, tests/conftest.py which tests get them. Arguments are passed to pytest, which then runs everything in one process.
set -eu
cd "$(dirname "$0")/.."
# A test starts a hundred Python programs; without compiled modules on disk each would compile all that it imports.
unset PYTHONDONTWRITEBYTECODE
select='not bench and not compose'
if [ $# -gt 0 ]; then
  exec .venv/bin/pytest -m "$select" "$@"
fi
status=0
# A module stays on one worker, so that its fixtures are created once.
.venv/bin/pytest -m "$select and not servers and not alone" --numprocesses auto --dist loadscope || status=$?
# One worker more than cores, for tests that wait for servers most of their time.
.venv/bin/pytest -m "$select and servers" --numprocesses $(($(nproc) + 1)) --dist loadscope || status=$?
.venv/bin/pytest -m "$select and alone" || status=$?
exit "$status"
