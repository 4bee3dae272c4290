#!/bin/sh
# Runs the tests: first side by side, on all cores; then, one after the other, those marked `alone`, which measure, are
# judged by times or switch something of the machine. With arguments, pytest gets those and runs everything in one process.
set -eu
cd "$(dirname "$0")/.."
select='not bench and not compose'
if [ $# -gt 0 ]; then
  exec .venv/bin/pytest -m "$select" "$@"
fi
status=0
# A module stays on one worker, which so makes the module's fixtures once; each worker starts servers of its own. Modules
# come in the order of their names, which ends with small ones, so that no worker waits long for the other.
.venv/bin/pytest -m "$select and not alone" --numprocesses auto --dist loadscope --no-loadscope-reorder || status=$?
.venv/bin/pytest -m "$select and alone" || status=$?
exit "$status"
