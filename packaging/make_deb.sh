#!/bin/bash
# make_deb.sh OUT: builds the Debian packages of this tree into OUT, and lints them.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
mkdir -p "$1"
out=$(cd "$1" && pwd)
version=$(sed -n 's/^#define OSLO_MESSAGING_VERSION "\(.*\)"/\1/p' \
  "$root/include/oslo/messaging/version.hpp")
source=$out/oslo-messaging-cpp-$version

rm -rf "$source" "$out"/*.deb "$out"/*.buildinfo "$out"/*.changes "$out"/check
mkdir -p "$source"
# What an installation is made of; the rest of the tree may change without a new build.
tar -C "$root" -c CMakeLists.txt LICENSE cmake include src tools | tar -C "$source" -x
cp -r "$root/packaging/debian" "$source/debian"
cat > "$source/debian/changelog" <<END
oslo-messaging-cpp ($version) unstable; urgency=medium

  * See CHANGELOG.md.

 -- $(sed -n 's/^Maintainer: //p' "$source/debian/control")  $(date -R -r "$root/include/oslo/messaging/version.hpp")
END

cd "$source"
dpkg-buildpackage --no-sign --build=binary --jobs=auto
cd "$out"
lintian --fail-on error,warning --tag-display-limit 0 ./*.changes
