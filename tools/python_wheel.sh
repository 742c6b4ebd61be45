#!/bin/bash
# python_wheel.sh [PRESET [PYTHON]]: the library as a driver of Python's oslo.messaging: a wheel, and
# what is in it installed in a folder `site`, which tests put on PYTHONPATH.
#
# Preset `python` (as it is without one) is for users: build/python/dist. With another one the wheel
# has the library of its build, which must be there: quick, for tests, build/PRESET/python.
set -euo pipefail
cd "$(dirname "$0")/.."
preset=${1:-python}
python=${2:-/usr/bin/python3}
settings=()
if [[ $preset == python ]]; then
  out=$PWD/build/python
  cmake --preset python
  cmake --build --preset python
  core=build/python/core
else
  out=$PWD/build/$preset/python
  core=build/$preset
  # As few and as small compilations as can be: speed is not tested.
  settings=(--config-settings "cmake.build-type=Debug" --config-settings "install.strip=true"
    --config-settings "cmake.define.CMAKE_CXX_FLAGS_DEBUG=-O0"
    --config-settings "cmake.define.CMAKE_UNITY_BUILD=ON"
    --config-settings "cmake.define.CMAKE_UNITY_BUILD_BATCH_SIZE=0")
fi
cmake --install "$core" --prefix "$out/prefix"

"$python" tests/support/make_venv.py build/venv python/requirements-wheel.txt
pip=(build/venv/wheel/bin/python3 -m pip --disable-pip-version-check)
rm -rf "$out/dist" "$out/site"
"${pip[@]}" wheel --no-index --no-deps --no-build-isolation --wheel-dir "$out/dist" \
  --config-settings "build-dir=$out/module" \
  --config-settings "cmake.define.OSLO_MESSAGING_PREFIX=$out/prefix" "${settings[@]}" ./python
"${pip[@]}" install --no-index --no-deps --no-compile --target "$out/site" "$out"/dist/*.whl
if [[ $preset != python ]]; then rm -r "$out/prefix"; fi # a copy of a big library
