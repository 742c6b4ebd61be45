#!/bin/bash
# Format, layers, and the syntax of scripts. Prints what is wrong and exits 1 when anything is.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0
check() {
  local title=$1
  shift
  if output=$("$@" 2>&1); then
    echo "$title: ok"
  else
    failed=1
    echo "$title: FAILED"
    head -n 60 <<<"$output"
  fi
}

folders=()
for folder in include src tests tools examples bench cmake python; do
  [[ -d $folder ]] && folders+=("$folder")
done
mapfile -t cpp < <(find "${folders[@]}" -name '*.hpp' -o -name '*.cpp' -o -name '*.h' -o -name '*.c' | sort)
mapfile -t python < <(find tests tools bench python -name '*.py' 2>/dev/null | sort)
mapfile -t shell < <(find tools packaging .ci -type f -exec grep -lE '^#!/bin/(ba)?sh' {} + | sort)

parse_python='import ast, sys
for name in sys.argv[1:]:
    ast.parse(open(name, encoding="utf-8").read(), name)'

check "clang-format (${#cpp[@]} files)" clang-format-14 --dry-run --Werror "${cpp[@]}"
check "layers" /usr/bin/python3 tests/support/check_layers.py .
check "python syntax (${#python[@]} files)" /usr/bin/python3 -c "$parse_python" "${python[@]}"
for script in "${shell[@]}"; do
  check "shell syntax $script" bash -n "$script"
done
exit "$failed"
