# Sourced by the scripts that gate cases side by side. A case is done by their function `one`, which leaves how it came out in
# CASE.result of the folder `out`.
# shellcheck shell=bash disable=SC2154

# several COUNT CASE...: so many at a time.
several() {
  local at_a_time=$1 running=0 name
  shift
  for name; do
    if ((running >= at_a_time)); then wait -n || true; running=$((running - 1)); fi
    one "$name" &
    running=$((running + 1))
  done
  wait
}

# verdict REPORT: in a few words, with the checks that are not settled.
verdict() {
  jq -r '([.checks[] | select(.outcome | IN("pass", "skipped") | not) | "\(.id) \(.outcome)"] | join(", ")) as $open
    | "\(.verdict), \(.passing)/4, \(.duration.took_s | floor) s" + (if $open == "" then "" else ": \($open)" end)' "$1"
}

result_is() { [[ $(cat "$out/$1.result" 2>/dev/null) == "$2" ]]; }
