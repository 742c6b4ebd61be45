#!/bin/bash
# check_deb.sh DIR: installs the Debian packages of DIR into a tree of its own, beside the packages
# of this machine, and does with them what their users do. Needs neither root nor the network.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
debs=$(cd "$1" && pwd)
header=$root/include/oslo/messaging/version.hpp
version=$(sed -n 's/^#define OSLO_MESSAGING_VERSION "\(.*\)"/\1/p' "$header")
abi=$(sed -n 's/^#define OSLO_MESSAGING_ABI //p' "$header")
arch=$(dpkg --print-architecture)
lib=usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
packages=("liboslo-messaging$abi" liboslo-messaging-dev oslo-msg)
work=$debs/check
tree=$work/tree
rm -rf "$work"
mkdir -p "$tree"

is() { # is WHAT FOUND WANTED
  [[ $2 == "$3" ]] || { printf '%s is\n%s\nand should be\n%s\n' "$1" "$2" "$3" >&2; exit 1; }
}

# What is installed on this machine counts for the dependencies, without its files.
admin=$tree/var/lib/dpkg
mkdir -p "$admin/info" "$admin/updates"
cp /var/lib/dpkg/status "$admin/status"
cp /var/lib/dpkg/arch "$admin/arch" 2>/dev/null || true
(cd "$admin/info" && dpkg-query -W -f '${binary:Package}.list\n' | xargs touch &&
  dpkg-query -W -f '${Package}.list\n' | xargs touch)
files=()
for package in "${packages[@]}"; do
  files+=("$debs/${package}_${version}_$arch.deb")
done
dpkg --root="$tree" --log=/dev/null --no-triggers --force-not-root --force-script-chrootless \
  --install "${files[@]}"
is "what dpkg --verify says" "$(dpkg --root="$tree" --verify "${packages[@]}")" ""

# No file is missing, and none is there by mistake.
list() { # list PACKAGE: its files, without those that every package has
  dpkg-deb --fsys-tarfile "$debs/$1_${version}_$arch.deb" | tar -t | sed -n 's|^\./\(.*[^/]\)$|\1|p' |
    grep -v "^usr/share/doc/$1/\(changelog.gz\|copyright\)$" | LC_ALL=C sort
}
is "the list of ${packages[0]}" "$(list "${packages[0]}")" "$lib/liboslo_messaging.so.$version
$lib/liboslo_messaging.so.$abi"
is "the list of liboslo-messaging-dev" "$(list liboslo-messaging-dev)" "$(
  {
    (cd "$root" && find include -name '*.hpp' | sed 's|^|usr/|')
    printf "$lib/%s\n" cmake/oslo_messaging/oslo_messaging{Config,ConfigVersion,Targets,Targets-release}.cmake \
      liboslo_messaging.{a,so} pkgconfig/oslo_messaging.pc
  } | LC_ALL=C sort
)"
is "the list of oslo-msg" "$(list oslo-msg)" "usr/bin/oslo-messaging-send-notification
usr/bin/oslo-msg
usr/share/bash-completion/completions/oslo-msg
usr/share/man/man1/oslo-messaging-send-notification.1.gz
usr/share/man/man1/oslo-msg.1.gz"
is "what the link of programs points at" "$(readlink "$tree/$lib/liboslo_messaging.so.$abi")" \
  "liboslo_messaging.so.$version"
is "what the link of compilers points at" "$(readlink "$tree/$lib/liboslo_messaging.so")" \
  "liboslo_messaging.so.$abi"

# All of them say the same version.
export LD_LIBRARY_PATH=$tree/$lib
oslo_msg=$tree/usr/bin/oslo-msg
is "the SONAME" "$(readelf -d "$tree/$lib/liboslo_messaging.so.$version" |
  sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')" "liboslo_messaging.so.$abi"
is "oslo-msg --version" "$("$oslo_msg" --version)" "$version"
is "the version of pkg-config" \
  "$(PKG_CONFIG_PATH=$tree/$lib/pkgconfig pkg-config --modversion oslo_messaging)" "$version"
for package in "${packages[@]}"; do
  is "the version of $package" "$(dpkg-query --admindir="$admin" -W -f '${Version}' "$package")" "$version"
  is "the version in the changelog of $package" \
    "$(zcat "$tree/usr/share/doc/$package/changelog.gz" | dpkg-parsechangelog -l- -SVersion)" "$version"
done
manual=$(zcat "$tree/usr/share/man/man1/oslo-msg.1.gz")
[[ $manual == *".TH OSLO-MSG \"1\""*"$version"* ]] || { echo "The manual does not name $version." >&2; exit 1; }
is "the completion" "$(bash -c 'source "$1"; complete -p oslo-msg' - \
  "$tree/usr/share/bash-completion/completions/oslo-msg")" "complete -F _oslo_msg oslo-msg"

# The program that is installed, with the library that is.
is "the library of oslo-msg" "$(ldd "$oslo_msg" | sed -n 's/.*liboslo_messaging[^ ]* => \([^ ]*\) .*/\1/p')" \
  "$tree/$lib/liboslo_messaging.so.$abi"
"$oslo_msg" demo

# A program of a user: that of README.md.
program=$root/examples/01_hello_rpc.cpp
"$root/tests/package/pkg_config.sh" "$tree" "$program" "$work/pkg_config" c++
mkdir "$work/project"
cat >"$work/project/CMakeLists.txt" <<END
cmake_minimum_required(VERSION 3.25)
project(program LANGUAGES CXX)
find_package(oslo_messaging $version EXACT REQUIRED)
add_executable(program $program)
target_link_libraries(program PRIVATE oslo::messaging)
END
for static in OFF ON; do
  cmake -S "$work/project" -B "$work/static-$static" -G Ninja -DCMAKE_PREFIX_PATH="$tree/usr" \
    -DOSLO_MESSAGING_STATIC=$static
  grep -q "^oslo_messaging_DIR:PATH=$tree/" "$work/static-$static/CMakeCache.txt"
  cmake --build "$work/static-$static"
  "$work/static-$static/program"
done
is "what a static program needs of it" \
  "$(readelf -d "$work/static-ON/program" | grep -c 'NEEDED.*liboslo_messaging' || true)" 0
echo "The packages of $version do what they should."
