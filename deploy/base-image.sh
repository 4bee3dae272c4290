#!/bin/sh
# Makes debian:bookworm-slim from Debian's packages, for machines that can reach a Debian mirror but no image registry.
# Does nothing where the image is there or can be pulled. Needs root, debootstrap and a Docker engine.
# Certificate authorities that this machine has added are copied, else package clients inside trust less than it does.
set -eu
image="${1:-debian:bookworm-slim}"
mirror="${DEBIAN_MIRROR:-http://deb.debian.org/debian}"
security="${DEBIAN_SECURITY:-http://deb.debian.org/debian-security}"
say() { printf '%s\n' "$*" >&2; }

if docker image inspect "$image" >/dev/null 2>&1; then exit 0; fi
say "pulling $image"
if timeout 60 docker pull -q "$image" >/dev/null 2>&1; then exit 0; fi

say "$image cannot be pulled: making it from Debian's packages"
if [ "$(id -u)" != 0 ]; then say "error: debootstrap needs root; run this script as root"; exit 2; fi
if ! command -v debootstrap >/dev/null 2>&1; then
  say "error: debootstrap is missing; run: windtunnel install --group compose"
  exit 2
fi
folder=$(mktemp -d "${TMPDIR:-/tmp}/windtunnel-base.XXXXXX")
trap 'rm -rf "$folder"' EXIT
debootstrap --variant=minbase bookworm "$folder/root" "$mirror" >"$folder/log" 2>&1 || {
  tail -n 5 "$folder/log" >&2
  say "error: debootstrap failed (its last lines are above)"
  exit 2
}
printf '%s\n' "deb $mirror bookworm main" "deb $mirror bookworm-updates main" "deb $security bookworm-security main" \
  >"$folder/root/etc/apt/sources.list"
rm -rf "$folder/root/var/cache/apt/archives" "$folder/root/var/lib/apt/lists" "$folder/root/usr/share/doc" \
  "$folder/root/usr/share/man"
mkdir -p "$folder/root/var/cache/apt/archives/partial" "$folder/root/var/lib/apt/lists/partial" \
  "$folder/root/usr/local/share/ca-certificates"
for authority in /usr/local/share/ca-certificates/*.crt; do
  [ -f "$authority" ] && cp "$authority" "$folder/root/usr/local/share/ca-certificates/"
done
tar -C "$folder/root" -c . | docker import --change 'CMD ["bash"]' - "$image" >/dev/null
say "made $image"
