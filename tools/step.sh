#!/bin/bash
# step.sh TITLE LOG COMMAND...: one readable line for a long step. On a terminal the command's own
# progress shows; otherwise it goes to LOG, whose end is printed when the command fails.
set -uo pipefail
title=$1 log=$2
shift 2
mkdir -p "$(dirname "$log")"
started=$(date +%s)
if [[ -t 1 ]]; then
  echo "$title"
  "$@"
  exit
fi
printf '%s ... ' "$title"
"$@" >"$log" 2>&1 </dev/null
code=$?
if ((code)); then
  echo "failed"
  tail -n 80 "$log"
  echo "The whole log is in $log."
  exit "$code"
fi
echo "$(($(date +%s) - started)) s"
