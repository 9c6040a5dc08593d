#!/usr/bin/env bash
# The gate on services of which it is known what it must say, on this machine, side by side where it has the cores: builds of our own service
# with one mistake each (flaws), and services that were not made for the gate (foreign). What is right stands in the file of a case,
# written before its first run.
#   validator/tests/processes.sh flaws|foreign [CASE...]; none means all. JOBS=1..4 at a time (default: one for every two cores;
#   one gate uses half of two, and a second one makes load and breakers late).
# A case that came out wrong because its run was disturbed is done once more, alone. The rows of those that were done go to
# docs/trust.md. How a file of a case is read: validator/tests/flaws/README.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
set=${1:-}
case $set in
  flaws) base=examples/try.yaml cases=validator/tests/flaws/cases ;;
  foreign) base=validator/tests/foreign/processes.yaml cases=validator/tests/foreign/processes ;;
  *) echo "processes.sh: expected flaws or foreign, and cases" >&2; exit 2 ;;
esac
shift
cores=$(nproc)
jobs=${JOBS:-$((cores < 4 ? 1 : cores < 8 ? cores / 2 : 4))}
[[ $jobs =~ ^[1-4]$ ]] || { echo "JOBS=$jobs: expected a number from 1 to 4" >&2; exit 2; }
target=${CARGO_TARGET_DIR:-target}
out=golive-out/$set
# shellcheck source=validator/tests/several.sh
source validator/tests/several.sh

# head_of CASE WORD: what its head says, a line each.
head_of() { sed -n "s/^#: $2 //p" "$cases/$1"; }

# declared CASE PORT: writes its target file, with the port of what runs beside it.
declared() {
  local edit=() line
  while read -r line; do edit+=(-e "${line//@PORT@/$2}"); done < <(head_of "$1" edit)
  sed "${edit[@]}" -e '' "$base" >"$out/$1.yaml"
  if ((${#edit[@]})) && cmp -s "$base" "$out/$1.yaml"; then
    echo "$1: its edits change nothing of $base" >&2
    return 1
  fi
}

# command_of CASE: what a copy runs, a word each.
command_of() {
  local name=$1 variables program shell
  read -ra variables <<<"$(head_of "$name" env | tr '\n' ' ')"
  printf '%s\n' env "${variables[@]}"
  shell=$(head_of "$name" shell)
  if [[ -n $shell ]]; then printf '%s\n' sh -c "$shell"; fi
  program=$(head_of "$name" program)
  if [[ $set == flaws ]]; then
    echo "$target/debug/${program:-users}"
  else
    printf '%s\n' node "${program:-validator/tests/foreign/service/service.js}"
  fi
}

# beside CASE: starts what a case needs, which tells its port; `companion` and `port` are set.
companion=
port=0
beside() {
  local command
  read -ra command <<<"$(head_of "$1" beside)"
  if ((${#command[@]} == 0)); then return 0; fi
  : >"$out/$1.port"
  "${command[@]}" >"$out/$1.port" 2>"$out/$1.beside.log" &
  companion=$!
  for _ in $(seq 100); do
    port=$(head -n1 "$out/$1.port")
    if [[ -n $port ]]; then return 0; fi
    sleep 0.1
  done
  echo "$1: ${command[*]} does not tell its port" >&2
  return 1
}

# gate CASE: everything that it says is kept in CASE.log.
gate() {
  local word each parts=() command
  for word in part check yes-break-it; do
    while read -r each; do parts+=("--$word" "$each"); done < <(head_of "$1" "$word")
  done
  mapfile -t command < <(command_of "$1")
  "$target/debug/validator" local -f "$out/$1.yaml" "${parts[@]}" --report "terminal=$out/$1.txt" --report "json=$out/$1.json" \
    --evidence "$out/$1.evidence.zst" -- "${command[@]}" >"$out/$1.log" 2>&1
}

# row CASE RESULT: of the table in docs/trust.md: the mistake, what was meant to be said and was, what was said besides, how long.
row() {
  local meant what said
  meant=$(grep -oE '^GL-[A-Z0-9]+' "$cases/$1" | jq -R . | jq -sc .)
  what=$(sed -n '1s/^# //p' "$cases/$1")
  said=$(jq -r --argjson meant "$meant" '
    def told: "\(.id) \(.outcome): \(.summary | gsub("\\|"; "/"))";
    ([.checks[] | select(.id | IN($meant[])) | told] | join("; ")) as $of
    | ([.checks[] | select((.id | IN($meant[]) | not) and (.outcome == "fail")) | .id] | join(" ")) as $besides
    | "\(.verdict) | \($of) | \($besides) | \(.duration.took_s | floor) s"' "$out/$1.json" 2>/dev/null) || said="no report | | |"
  echo "| \`$1\` | $what | $said, $2 |"
}

# one CASE: the whole of a case, in a process of its own. Leaves CASE.result: right, wrong, or disturbed.
one() {
  local rc=0 result=right
  trap 'if [[ -n $companion ]]; then kill "$companion"; fi' EXIT
  rm -f "$out/$1".*
  beside "$1"
  declared "$1" "$port"
  gate "$1" || rc=$?
  if ! "$target/debug/validator" judge "$out/$1.evidence.zst" --expect "$cases/$1" -q >"$out/$1.judged" 2>"$out/$1.wrong"; then
    result=wrong
    if ((rc == 3)); then result=disturbed; fi
  fi
  echo "$result" >"$out/$1.result"
  row "$1" "$result" >"$out/$1.row"
  printf '%-24s %s\n' "$1" "$result"
  if [[ $result != right ]]; then sed 's/^/    /' "$out/$1.wrong"; fi
}

# The rows of this run in place of those of the same cases; the others stay as they are.
tell() {
  local name rows=$out/rows docs=docs/trust.md
  for name in "${all[@]}"; do
    if [[ " $* " == *" $name "* ]]; then cat "$out/$name.row" 2>/dev/null || true; else grep -F "| \`$name\` |" <(section "$docs") || true; fi
  done >"$rows"
  awk -v begin="<!-- make $set -->" -v rows="$rows" '
    $0 == begin { print; inside = 1; head = 2; next }
    inside && head > 0 { print; head--; next }
    inside && /^\|/ { next }
    inside { while ((getline line < rows) > 0) print line; inside = 0 }
    { print }' "$docs" >"$out/trust.md"
  mv "$out/trust.md" "$docs"
}

section() { awk -v begin="<!-- make $set -->" '$0 == begin { inside = 1; next } inside && !/^\|/ { exit } inside' "$1"; }

needed() {
  command -v jq >/dev/null || { echo "processes.sh: needs jq" >&2; exit 2; }
  service/tests/backends.sh gate
  cargo build --locked --workspace --bins
  if [[ $set == foreign ]]; then npm ci --prefix validator/tests/foreign/service --silent --no-audit --no-fund; fi
}

# Ends the gates that are under way: each takes its processes with it.
stop() {
  local each
  for each in $(jobs -p); do pkill -TERM -P "$each" || true; done
}
trap stop EXIT
trap 'exit 130' INT TERM

mapfile -t all < <(ls "$cases")
if (($# == 0)); then set -- "${all[@]}"; fi
for name; do [[ -f $cases/$name ]] || { echo "no such case: $name; one of: ${all[*]}" >&2; exit 2; }; done
needed
mkdir -p "$out"
several "$jobs" "$@"
for name; do
  if result_is "$name" disturbed; then echo "$name once more, alone"; several 1 "$name"; fi
done
tell "$@"
wrong=0
for name; do result_is "$name" right || wrong=$((wrong + 1)); done
echo "$wrong of $# came out wrong; $SECONDS s; reports: $out/"
((wrong == 0))
