#!/usr/bin/env bash
# The same build gated many times on this machine: the good one must never be NO-GO and rarely without an answer, the bare one never GO.
#   validator/tests/repeat.sh good|bare [RUNS]
# Prints a line for each run and a sum; ends with 1 where a verdict is wrong, or more than a tenth of the good build's runs are
# inconclusive or are so for another reason than the run's own (GL-E...). Reports and evidence: golive-out/repeat/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
build=${1:-} runs=${2:-10}
target=${CARGO_TARGET_DIR:-target}
out=golive-out/repeat
# shellcheck source=validator/tests/several.sh
source validator/tests/several.sh
case $build in
  good) file=examples/try.yaml program=users ;;
  bare) file=examples/try-bare.yaml program=users-flawed ;;
  *) echo "repeat.sh: expected good or bare, and how many runs" >&2; exit 2 ;;
esac
[[ $runs =~ ^[1-9][0-9]?$ ]] || { echo "repeat.sh: $runs runs: expected 1 to 99" >&2; exit 2; }
service/tests/backends.sh gate
cargo build --locked --workspace --bins
mkdir -p "$out"

# is_wrong REPORT: of the bare build any GO; of the good one NO-GO, and no answer for another reason than the run's own: that a check
# of the run is open, or that what was seen falls into a disturbance of the run.
is_wrong() {
  if [[ $build == bare ]]; then jq -e '.verdict | startswith("GO")' "$1"; else
    jq -e '.verdict == "NO-GO" or (.verdict == "INCONCLUSIVE" and ([.checks[] | select((.area == "run" and .outcome == "inconclusive") or (.struck // []) != [])] | length) == 0)' "$1"
  fi >/dev/null
}

wrong=0 open=0
for ((run = 1; run <= runs; run++)); do
  name=$out/$build-$run
  rm -f "$name".*
  "$target/debug/validator" local -f "$file" --report "json=$name.json" --report "terminal=$name.txt" --evidence "$name.evidence.zst" \
    -- "$target/debug/$program" >"$name.log" 2>&1 || true
  if [[ ! -f $name.json ]]; then
    open=$((open + 1))
    echo "$build $run: no report: $(grep -m1 '^error' "$name.log" || true)"
    continue
  fi
  if is_wrong "$name.json"; then wrong=$((wrong + 1)); fi
  if [[ $(jq -r .verdict "$name.json") == INCONCLUSIVE ]]; then open=$((open + 1)); fi
  echo "$build $run: $(verdict "$name.json")"
done
echo "$build build, $runs runs in $SECONDS s: $wrong wrong, $open without an answer"
((wrong == 0)) && { [[ $build == bare ]] || ((open * 10 <= runs)); }
