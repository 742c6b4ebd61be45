#!/bin/bash
# setup.sh [SECTION…]: installs the Debian packages of packages.txt that are missing: those above the
# first section, and those of the sections that are named. Does nothing when all are there.
set -euo pipefail
cd "$(dirname "$0")/.."

for section in "$@"; do
  grep -qxF "[$section]" packages.txt || { echo "setup: packages.txt has no [$section]" >&2; exit 2; }
done
mapfile -t wanted < <(sed 's/#.*//' packages.txt | tr -s ' \t' '\n' |
  awk -v sections=" $* " '
    /^\[.*\]$/ { wanted_section = index(sections, " " substr($0, 2, length($0) - 2) " ") > 0; below = 1; next }
    NF && (!below || wanted_section)')
mapfile -t present < <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${wanted[@]}" 2>/dev/null |
  sed -n 's/^installed //p')
missing=()
for package in "${wanted[@]}"; do
  [[ " ${present[*]} " == *" $package "* ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

run=()
if ((EUID != 0)); then
  if ! command -v sudo >/dev/null; then
    echo "setup: these packages are missing, and installing them needs root or sudo:" >&2
    echo "  apt-get install ${missing[*]}" >&2
    exit 1
  fi
  run=(sudo)
fi

mkdir -p build/log
log=build/log/setup.log
echo "Installing ${#missing[@]} Debian packages (log: $log)"
# The tests start a RabbitMQ of their own. RUNLEVEL keeps the package from starting one as well.
if ! {
  "${run[@]}" apt-get update -q &&
    "${run[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
      apt-get install -q -y --no-install-recommends "${missing[@]}"
} >"$log" 2>&1 </dev/null; then
  tail -n 20 "$log" >&2
  echo "setup: apt-get failed; the whole log is in $log." >&2
  exit 1
fi
