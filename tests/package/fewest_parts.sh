#!/bin/bash
# fewest_parts.sh PROJECT BUILD COMPILER [CMake option…]: each part can be left out alone; without
# all of them but the driver rabbit the library compiles, links no other library than it says, and a
# program of it runs, with the shared library and with the static one.
set -euo pipefail
project=$1 build=$2 compiler=$3
shift 3
mkdir -p "$build"
parts=(INPROC RABBIT AMQP1 KAFKA FIBER RE2 YAML SPDLOG HTTPLIB SHARED TOOLS EXAMPLES)
configure() { # configure FOLDER PART…: without these parts
  local folder=$1 options=()
  shift
  for part in "${parts[@]}"; do
    [[ " $* " == *" $part "* ]] && options+=(-DOSLO_MESSAGING_"$part"=OFF) || options+=(-DOSLO_MESSAGING_"$part"=ON)
  done
  # As few sources as can be, not optimised: whether they compile and link is the question.
  cmake -S "$project" -B "$folder" -G Ninja "${given[@]}" "${options[@]}" -DOSLO_MESSAGING_TESTS=OFF \
    -DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=12 -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON \
    -DCMAKE_BUILD_TYPE=Debug -DCMAKE_CXX_FLAGS_DEBUG=-O0
}
given=("$@")

for part in "${parts[@]}"; do
  configure "$build/alone" "$part" >"$build/alone.log" 2>&1 || {
    cat "$build/alone.log"
    echo "It does not configure without $part." >&2
    exit 1
  }
done

configure "$build/few" INPROC AMQP1 KAFKA FIBER RE2 YAML SPDLOG HTTPLIB TOOLS EXAMPLES
cmake --build "$build/few"
rm -rf "$build/prefix"
cmake --install "$build/few" --prefix "$build/prefix" >/dev/null
libraries=$(dirname "$(find "$build/prefix" -name liboslo_messaging.a)")
if readelf -d "$libraries/liboslo_messaging.so" | grep 'NEEDED.*\(fiber\|context\|re2\|yaml\|proton\|rdkafka\)'; then
  echo "The library needs what was left out." >&2
  exit 1
fi
program=$project/tests/package/left_out.cpp
"$project/tests/package/pkg_config.sh" "$build/prefix" "$program" "$build/shared" "$compiler"
rm "$libraries"/liboslo_messaging.so*
export PKG_CONFIG_PATH=$libraries/pkgconfig
read -ra flags < <(pkg-config --static --cflags --libs oslo_messaging)
"$compiler" -std=c++20 "$program" -o "$build/static" "${flags[@]}"
"$build/static"
