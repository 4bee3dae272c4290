#!/bin/sh
# Creates debian:bookworm-slim from Debian's packages, for machines that can reach a Debian mirror but no image registry.
# Does nothing if the image exists or can be pulled. Needs root, debootstrap and a Docker engine.
# Packages come from the mirrors that this machine's own apt uses for bookworm. Certificate authorities that were added
# to this machine are copied, so that package clients in the image trust them too.
set -eu
image="${1:-debian:bookworm-slim}"
say() { printf '%s\n' "$*" >&2; }

if docker image inspect "$image" >/dev/null 2>&1; then exit 0; fi
say "pulling $image"
if timeout 60 docker pull -q "$image" >/dev/null 2>&1; then exit 0; fi

say "$image cannot be pulled: creating it from Debian's packages"
if [ "$(id -u)" != 0 ]; then say "error: debootstrap needs root; run this script as root"; exit 2; fi
if ! command -v debootstrap >/dev/null 2>&1; then
  say "error: debootstrap is missing; run: windtunnel install --group compose"
  exit 2
fi
sources=$(apt-get indextargets --format 'deb $(SITE) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' 'Origin: Debian' |
  awk '$3 ~ /^bookworm(-updates|-security)?$/ && $4 == "main"' | sort -u)
mirror=$(printf '%s\n' "$sources" | awk '$3 == "bookworm" { print $2; exit }')
if [ -z "$mirror" ]; then
  say "error: apt on this machine has no mirror of Debian bookworm; run apt-get update, or provide the image $image"
  exit 2
fi
folder=$(mktemp -d "${TMPDIR:-/tmp}/windtunnel-base.XXXXXX")
trap 'rm -rf "$folder"' EXIT
debootstrap --variant=minbase bookworm "$folder/root" "$mirror" >"$folder/log" 2>&1 || {
  tail -n 5 "$folder/log" >&2
  say "error: debootstrap failed (its last lines are above)"
  exit 2
}
printf '%s\n' "$sources" >"$folder/root/etc/apt/sources.list"
rm -rf "$folder/root/var/cache/apt/archives" "$folder/root/var/lib/apt/lists" "$folder/root/usr/share/doc" \
  "$folder/root/usr/share/man"
mkdir -p "$folder/root/var/cache/apt/archives/partial" "$folder/root/var/lib/apt/lists/partial" \
  "$folder/root/usr/local/share/ca-certificates"
for authority in /usr/local/share/ca-certificates/*.crt; do
  if [ -f "$authority" ]; then cp "$authority" "$folder/root/usr/local/share/ca-certificates/"; fi
done
tar -C "$folder/root" -c . | docker import --change 'CMD ["bash"]' - "$image" >/dev/null
say "created $image"
