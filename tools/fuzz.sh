#!/bin/bash
# fuzz.sh BIN_DIR SECONDS: runs every libFuzzer target for SECONDS. New inputs are kept under the
# build folder; what crashes is left there as crash-*, and the exit code tells.
set -euo pipefail
bin=$1 seconds=$2
corpus_root=tests/fuzz/corpus
failed=0 count=0
shopt -s nullglob
for target in "$bin"/fuzz_*; do
  name=$(basename "$target")
  found=$(dirname "$bin")/corpus/$name
  mkdir -p "$found"
  seeds=()
  for folder in "$corpus_root/$name" "$corpus_root/${name#fuzz_}"; do
    [[ -d $folder ]] && seeds+=("$folder")
  done
  log=$found/../$name.log
  printf '%-32s ' "$name"
  if "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$found/../$name-" "$found" "${seeds[@]}" >"$log" 2>&1; then
    sed -n 's/^Done \([0-9]*\) runs.*/\1 runs, no finding/p' "$log" | tail -n 1
  else
    failed=$((failed + 1))
    echo "FAILED"
    tail -n 40 "$log"
  fi
  count=$((count + 1))
done
((count)) || { echo "fuzz.sh: no fuzz target in $bin." >&2; exit 1; }
echo "$((count - failed)) passed, $failed failed"
((failed == 0))
