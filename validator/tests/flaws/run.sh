#!/usr/bin/env bash
# The gate's own proof: builds of our service with one mistake each, gated on this machine. Each must be refused by the check that
# is meant for it, and by no unrelated one; the file of a case, written before its first run, says which.
#   validator/tests/flaws/run.sh [CASE...]; none means all. FLAWS_JOBS=1..4 at a time (default 1).
# The head of a case says how it is made: `#: env NAME=VALUE...`, `#: edit SED` of examples/try.yaml, `#: program NAME`, and the `part` or
# `check` of the experiment that it takes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../../.."
target=${CARGO_TARGET_DIR:-target}
cases=validator/tests/flaws/cases
out=golive-out/flaws
export target cases out

# head CASE WORD: what its head says.
head_of() { sed -n "s/^#: $2 //p" "$cases/$1"; }

one() { # CASE
  local name=$1 variables=() parts=() word program
  read -ra variables <<<"$(head_of "$name" env)"
  for word in part check; do
    while read -r each; do parts+=("--$word" "$each"); done < <(head_of "$name" "$word")
  done
  program=$(head_of "$name" program)
  sed -e "$(head_of "$name" edit)" examples/try.yaml >"$out/$name.yaml"
  if [ -n "$(head_of "$name" edit)" ] && cmp -s examples/try.yaml "$out/$name.yaml"; then
    echo "$name: its edit changes nothing of examples/try.yaml" >&2
    return 1
  fi
  "$target/debug/validator" local -f "$out/$name.yaml" "${parts[@]}" --report "terminal=$out/$name.txt" --report "json=$out/$name.json" \
    --evidence "$out/$name.evidence.zst" -- env "${variables[@]}" "$target/debug/${program:-users}" >"$out/$name.log" 2>&1 || true
  "$target/debug/validator" judge "$out/$name.evidence.zst" --expect "$cases/$name" -q >"$out/$name.wrong" 2>&1 &&
    printf '%-24s refused as it should be\n' "$name" || { printf '%-24s WRONG\n' "$name"; cat "$out/$name.wrong"; return 1; }
}
export -f one head_of

service/tests/backends.sh
cargo build --locked -p golive-validator -p golive-service --bin validator --bin users --bin users-flawed
mkdir -p "$out"
find "$out" -mindepth 1 -delete
if (($# == 0)); then set -- $(ls "$cases"); fi
printf '%s\n' "$@" | xargs -P "${FLAWS_JOBS:-1}" -I {} bash -euo pipefail -c 'one {}'
