#!/bin/sh
# Runs the tests: first what needs no server and measures nothing, on all cores; then, one after the other, what starts
# servers, breaks them or measures. With arguments, pytest gets those and runs everything in one process.
set -eu
cd "$(dirname "$0")/.."
select='not bench and not compose'
if [ $# -gt 0 ]; then
  exec .venv/bin/pytest -m "$select" "$@"
fi
side_by_side='tests/agreement tests/audit tests/model tests/planner tests/property tests/studies tests/tidy tests/unit'
ignored=
for folder in $side_by_side; do ignored="$ignored --ignore=$folder"; done
status=0
# a module stays on one worker, which so makes the module's fixtures once
# shellcheck disable=SC2086
.venv/bin/pytest -m "$select" --numprocesses auto --dist loadscope $side_by_side || status=$?
# shellcheck disable=SC2086
.venv/bin/pytest -m "$select" $ignored || status=$?
exit "$status"
