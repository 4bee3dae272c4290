#!/bin/sh
# Creates .venv from requirements.lock: finds or installs Python 3.11+ and uv, then syncs. A second run does nothing.
set -eu
cd "$(dirname "$0")/.."
cache="${WINDTUNNEL_CACHE:-$HOME/.cache/windtunnel}"
stamp=.venv/.synced
want=$(cat requirements.lock pyproject.toml | sha256sum)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ] && exit 0

say() { printf '%s\n' "$*" >&2; }
fits() { command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

python=
for candidate in python3 python3.13 python3.12 python3.11; do
  if fits "$candidate"; then python=$candidate; break; fi
done
if [ -z "$python" ]; then
  if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    say "installing Python (apt-get install python3 python3-venv)"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3 python3-venv >&2
    python=python3
  else
    say "error: Python 3.11 or newer with venv is missing; install it: sudo apt-get install python3 python3-venv"
    exit 2
  fi
fi

if command -v uv >/dev/null 2>&1; then
  uv=uv
else
  uv="$cache/uv/bin/uv"
  if [ ! -x "$uv" ]; then
    say "installing uv into $cache/uv"
    "$python" -m venv "$cache/uv" && "$cache/uv/bin/pip" install -q --disable-pip-version-check uv
  fi
fi

say "installing Python packages from requirements.lock into .venv"
[ -x .venv/bin/python ] || "$uv" venv -q --python "$python" .venv
for offline in "" --offline; do
  if "$uv" pip sync -q $offline --python .venv/bin/python --require-hashes requirements.lock &&
    "$uv" pip install -q $offline --python .venv/bin/python --no-deps --no-build-isolation -e .; then
    printf '%s' "$want" >"$stamp"
    exit 0
  fi
  [ -n "$offline" ] || say "trying again from uv's cache"
done
say "error: the Python packages could not be installed; can a package index be reached? (uv's message is above)"
exit 2
