#!/bin/bash
# pkg_config.sh PREFIX CONSUMER BUILD COMPILER [FLAG…]: compiles the consumer by the installed
# pkg-config file, and runs it with the shared library.
set -euo pipefail
prefix=$1 consumer=$2 build=$3
shift 3
file=$(find "$prefix" -name oslo_messaging.pc)
libraries=$(dirname "$(dirname "$file")")
export PKG_CONFIG_PATH=${file%/*}
mkdir -p "$build"
read -ra flags < <(pkg-config --cflags --libs oslo_messaging)
"$@" -std=c++20 "$consumer" -o "$build/consumer" "${flags[@]}"
LD_LIBRARY_PATH=$libraries "$build/consumer"
readelf -d "$build/consumer" | grep -q 'NEEDED.*liboslo_messaging\.so\.[0-9]'
