#!/bin/bash
# added_driver.sh PROJECT BUILD [CMake option…]: a copy of the tree gets one more driver by a folder
# and a word in a list, has it in its registry, and loses it by its option.
set -euo pipefail
project=$1 build=$2
shift 2
rm -rf "$build/tree"
mkdir -p "$build/tree"
tar -C "$project" -c CMakeLists.txt LICENSE cmake include src | tar -C "$build/tree" -x
cp -r "$project/tests/package/void_driver" "$build/tree/src/drivers/void_bus"
sed -i 's/^set(OSLO_DRIVERS \(.*\))/set(OSLO_DRIVERS \1 void_bus)/' "$build/tree/cmake/Options.cmake"
mkdir -p "$build/tree/tools" "$build/tree/examples"
"$project/tests/support/check_layers.py" "$build/tree"

configure() {
  cmake -S "$build/tree" -B "$build/out" -G Ninja -DOSLO_MESSAGING_TESTS=OFF \
    -DOSLO_MESSAGING_TOOLS=OFF -DOSLO_MESSAGING_EXAMPLES=OFF "$@" >/dev/null
}
registry=$build/out/generated/default_drivers.cpp
configure "$@" -UOSLO_MESSAGING_VOID_BUS
cmake --build "$build/out" --target oslo_driver_void_bus \
  CMakeFiles/oslo_drivers.dir/generated/default_drivers.cpp.o
grep -q 'void_bus::add_to(r);' "$registry"
configure "$@" -DOSLO_MESSAGING_VOID_BUS=OFF
if grep -q void_bus "$registry"; then
  echo "The driver is in the registry although its option is off." >&2
  exit 1
fi
