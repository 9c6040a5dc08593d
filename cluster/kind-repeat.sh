#!/usr/bin/env bash
# The gate on the good build so many times in a row: each GO, 4/4, nothing lost, within 6.5 minutes and within 1.3 times
# the waits that a run cannot avoid. Prints a table row a run.
# Usage: kind-repeat.sh [RUNS]; 5 if nothing is said.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=cluster/gate.sh
source "$cluster_dir/gate.sh"

runs=${1:-5}
[[ $runs =~ ^[1-9][0-9]?$ ]] || die "not a number of runs from 1 to 99: $runs" "kind-repeat.sh 5"

row() { # NAME
  jq -r '[.verdict, "\(.passing)/4",
    (.checks[] | select(.id == "GL-S201" or .id == "GL-S202" or .id == "GL-T201" or .id == "GL-B201") | .summary),
    "\(.duration.took_s | floor) s, \(.duration.took_s / .duration.least_s * 100 | round / 100) x"] | join(" | ")' "$out/$1.json"
}

once() { # NUMBER
  local name=good-$1
  run gate "$name" "$repo_dir/golive.yaml" 0 >"$out/$name.log" 2>&1 || { cat "$out/$name.log"; die "run $1 did not end in GO" "read $out/$name.txt"; }
  [[ ! -e $out/$name.inconclusive.txt ]] || die "run $1 was inconclusive at first" "read $out/$name.inconclusive.txt"
  expect "$name" '.verdict == "GO" and .passing == 4' "GO, 4/4"
  expect "$name" '[.checks[] | select(.id == "GL-S201" and .outcome == "pass")] | length == 1' "no request lost"
  expect "$name" '.duration.took_s <= 390 and .duration.took_s <= 1.3 * .duration.least_s' "within 6.5 minutes and 1.3 times what it cannot avoid"
  row "$name"
}

main() {
  trap stop_jobs EXIT
  trap 'exit 130' INT TERM
  prepare
  step "install users and orders" "cluster/kubectl -n $namespace describe pods" install_users
  local number
  for ((number = 1; number <= runs; number++)); do once "$number"; done
  step "uninstall users" "cluster/helm -n $namespace list" uninstall users
  say "$runs runs in a row in $SECONDS s; reports and evidence: golive-out/"
}

main
