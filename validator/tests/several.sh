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

result_is() { [[ $(cat "$out/$1.result" 2>/dev/null) == "$2" ]]; }
