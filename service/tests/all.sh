#!/bin/bash
# All tests of the workspace. Many watch real processes against the clock, and a machine that stops for a second fails
# one without reason: up to three that failed run once more, one at a time, and are named. What fails twice fails.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
features=(--locked --workspace)
most=3

log=$(mktemp)
trap 'rm -f "$log"' EXIT
ulimit -n "$(ulimit -Hn)"
timeout --kill-after=10 1200 cargo test "${features[@]}" --no-fail-fast 2>&1 | tee "$log" && exit 0

mapfile -t failed < <(sed -nE 's/^test (\S+)( - should panic)? \.\.\. FAILED$/\1/p' "$log")
# Whatever else went wrong has no name here: a compiler error, an abort, a documentation test.
binaries=$(grep -cE '^    `-p ' "$log" || true)
counted=$(awk '/^test result: FAILED/ { binaries++; tests += $6 } END { print binaries + 0, tests + 0 }' "$log")
if [[ $counted != "$binaries ${#failed[@]}" ]] || ((${#failed[@]} == 0 || ${#failed[@]} > most)); then
  printf 'error: the tests failed: %s\n' "${failed[*]:-see above}" >&2
  exit 1
fi
for name in "${failed[@]}"; do
  printf '### once more, alone: %s\n' "$name"
  timeout --kill-after=10 300 cargo test "${features[@]}" -- --exact "$name" --test-threads=1 2>&1 | tee "$log"
  # A name that no test has would pass.
  grep -q "^test $name.* ok$" "$log"
done
printf 'warning: failed at first and passed alone: %s\n' "${failed[*]}" >&2
