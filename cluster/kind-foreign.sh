#!/usr/bin/env bash
# The gate on services that were not made for it: every case of validator/tests/foreign/cases must come out as its file
# `expect` says, which was written before its first run. Each case has a namespace of its own; two run at a time, what was
# inconclusive is done once more, alone. Usage: kind-foreign.sh [CASE...]; none means all. GOLIVE_JOBS=1..4 at a time.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=cluster/gate.sh
source "$cluster_dir/gate.sh"
# shellcheck source=cluster/foreign/case.sh
source "$cluster_dir/foreign/case.sh"
# shellcheck source=validator/tests/several.sh
source "$repo_dir/validator/tests/several.sh"

# A case is 100 requests a second and a few idle Node processes: two of them leave half of two cores to the agents.
jobs=${GOLIVE_JOBS:-2}
[[ $jobs =~ ^[1-4]$ ]] || die "GOLIVE_JOBS=$jobs" "a number from 1 to 4"
out=$out/foreign

# told CASE WORD: what stands behind the word in the case's expectation, a line each.
told() { sed -n "s/^$2 //p" "$foreign/cases/$1/expect"; }

# gate_case CASE: ends as the gate does; everything it says is kept in CASE.log.
gate_case() {
  local file=$foreign/cases/$1/golive.yaml rc=0 beside=
  local validate=(env "KUBECONFIG=$(account_config "$namespace")" timeout)
  [[ -f $file ]] || file=$foreign/base/golive.yaml
  if [[ -x $foreign/cases/$1/beside.sh ]]; then
    KUBECTL=$cluster_dir/kubectl timeout 1500 "$foreign/cases/$1/beside.sh" "$namespace" >"$out/$1.beside.log" 2>&1 &
    beside=$!
  fi
  run_gate "$1" "$file" >"$out/$1.log" 2>&1 || rc=$?
  if [[ -n $beside ]]; then stop_tree "$beside"; fi
  return "$rc"
}

# among WORD LINE: whether the word is one of the line's.
among() { [[ " $2 " == *" $1 "* ]]; }

# wrongs CASE EXIT: what is not as expected, a line each.
wrongs() {
  local report=$out/$1.json words id outcomes
  among "$2" "$(told "$1" exit)" || echo "exit $2, expected $(told "$1" exit)"
  while IFS= read -r words; do
    # As one line: the report is wrapped, words may stand apart.
    { cat "$out/$1.log" "$out/$1.txt" 2>/dev/null || true; } | tr -s ' \n' ' ' | grep -E -e "$words" >/dev/null || echo "it does not say: $words"
  done < <(told "$1" say)
  grep -q '^verdict ' "$foreign/cases/$1/expect" || return 0
  [[ -f $report ]] || { echo "no report"; return 0; }
  wrong_verdict "$1"
  while read -r id outcomes; do
    among "$(jq -r --arg id "$id" '.checks[] | select(.id == $id) | .outcome' "$report")" "$outcomes" || echo "$id is not $outcomes"
  done < <(grep '^GL-' "$foreign/cases/$1/expect")
  unrelated "$1"
}

# wrong_verdict CASE: GO is also GO-WITH-WARNINGS by nothing but the run's own checks: those tell of the machine.
wrong_verdict() {
  local verdict passing
  verdict=$(jq -r 'if .verdict == "GO-WITH-WARNINGS" and all(.checks[]; .area == "run" or (.outcome | IN("pass", "skipped")))
    and any(.checks[]; .area == "run" and (.outcome | IN("pass", "skipped") | not)) then "GO" else .verdict end' "$out/$1.json")
  among "$verdict" "$(told "$1" verdict)" || echo "$verdict, expected $(told "$1" verdict)"
  passing=$(told "$1" passing)
  [[ -z $passing || $(jq .passing "$out/$1.json") == "$passing" ]] || echo "$(jq .passing "$out/$1.json")/4 passing"
}

# unrelated CASE: checks that refuse or hold up a release and are not named.
unrelated() {
  local id
  for id in $(jq -r '.checks[] | select(.outcome == "fail" or (.outcome == "inconclusive" and .severity == "blocker")) | .id' "$out/$1.json"); do
    grep -Eq "^(may )?$id( |\$)" "$foreign/cases/$1/expect" || jq -r --arg id "$id" '.checks[] | select(.id == $id) | "\(.id) \(.outcome): \(.summary)"' "$out/$1.json"
  done
}

# What the gate said, in a few words.
said() { # CASE EXIT
  if [[ -f $out/$1.json ]]; then
    verdict "$out/$1.json"
  else
    printf 'exit %s: %s\n' "$2" "$(grep -m1 '^error' "$out/$1.log" | tr '|' '/')"
  fi
}

# row CASE SAID: of the table in docs/trust.md.
row() {
  local right
  right=$(told "$1" verdict)
  right=${right:-exit $(told "$1" exit)}
  # shellcheck disable=SC2016 # the marks of Markdown
  printf '| `%s` | %s | %s | %s |\n' "$1" "$(sed -n '1s/^# //p' "$foreign/cases/$1/expect")" "$(sed 's/ \([0-9G]\)/ or \1/g; s/^exit or /exit /' <<<"$right")" "$2"
}

# one CASE: the whole of a case, in a process of its own. Leaves CASE.result (right, wrong or again) and CASE.row.
one() {
  trap stop_jobs EXIT
  local namespace=foreign-$1 rc=0 wrong result=right begun=$SECONDS
  rm -f "$out/$1".*
  prepare_case "$1" >"$out/$1.install.log" 2>&1 &
  if wait $!; then
    gate_case "$1" || rc=$?
    wrong=$(wrongs "$1" "$rc"; left_over | sed 's/^/left behind: /') || wrong+=$'\nwhat is left behind could not be asked'
  else
    wrong="not installed: $out/$1.install.log"
  fi
  if [[ -n $wrong ]]; then result=wrong; fi
  if ((rc == 3)) && [[ -n $wrong && -f $out/$1.json && ${2:-} != last ]]; then result=again; fi
  row "$1" "$(said "$1" "$rc"); $result" >"$out/$1.row"
  printf '    %-16s %s (%d s)\n' "$1" "$result: $(said "$1" "$rc")" $((SECONDS - begun))
  if [[ -n $wrong ]]; then printf '        %s\n' "${wrong//$'\n'/$'\n        '}"; fi
  echo "$result" >"$out/$1.result"
  remove_case "$1" >>"$out/$1.install.log" 2>&1
}

main() {
  trap stop_jobs EXIT
  trap 'exit 130' INT TERM
  local name cases=("$@") wrong=()
  (($#)) || mapfile -t cases < <(cd "$foreign/cases" && printf '%s\n' *)
  for name in "${cases[@]}"; do [[ -f $foreign/cases/$name/expect ]] || die "no such case: $name" "one of: $(cd "$foreign/cases" && echo *)"; done
  prepare
  load_foreign
  several "$jobs" "${cases[@]}"
  for name in "${cases[@]}"; do
    if ! result_is "$name" again; then continue; fi
    say "$name once more, alone"
    one "$name" last &
    wait $! || true
  done
  # The rows for docs/trust.md.
  for name in "${cases[@]}"; do
    cat "$out/$name.row" 2>/dev/null || true
    result_is "$name" right || wrong+=("$name")
  done >"$out/table.md"
  ((${#wrong[@]} == 0)) || die "${#wrong[@]} of ${#cases[@]} cases did not come out right: ${wrong[*]}" "read $out/CASE.txt and $out/CASE.log"
  say "all ${#cases[@]} cases came out right in $SECONDS s; the table: $out/table.md"
}

main "$@"
