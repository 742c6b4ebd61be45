#!/bin/bash
# python_wheel.sh [PYTHON]: the library as a driver of Python's oslo.messaging, a wheel in
# build/python/dist, and installed in build/python/site, which tests put on PYTHONPATH.
set -euo pipefail
cd "$(dirname "$0")/.."
python=${1:-/usr/bin/python3}
out=$PWD/build/python

cmake --preset python
cmake --build --preset python
cmake --install build/python/core --prefix "$out/prefix"

"$python" tests/support/make_venv.py build/venv python/requirements-wheel.txt
pip=(build/venv/wheel/bin/python3 -m pip --disable-pip-version-check)
rm -rf "$out/dist" "$out/site"
"${pip[@]}" wheel --no-index --no-deps --no-build-isolation --wheel-dir "$out/dist" \
  --config-settings "build-dir=$out/module" \
  --config-settings "cmake.define.OSLO_MESSAGING_PREFIX=$out/prefix" ./python
"${pip[@]}" install --no-index --no-deps --no-compile --target "$out/site" "$out"/dist/*.whl
