#!/usr/bin/env bash
# The gate while other processes burn every core for the whole run: the good build may be inconclusive but never NO-GO,
# the bare build NO-GO or inconclusive but never GO. Usage: kind-noise.sh [RUNS]; 5 of the good build if nothing is said.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=cluster/gate.sh
source "$cluster_dir/gate.sh"

runs=${1:-5}
[[ $runs =~ ^[1-9][0-9]?$ ]] || die "not a number of runs from 1 to 99: $runs" "kind-noise.sh 5"
burners=()

# A core each, for half an hour at most: a run ends before.
burn() {
  local core
  for ((core = $(nproc); core > 0; core--)); do
    timeout 1800 bash -c 'while :; do :; done' &
    burners+=($!)
  done
}

# Each by its own id. That they were still at work proves that the whole run had the noise.
calm() {
  local pid
  for pid in "${burners[@]}"; do
    [[ -d /proc/$pid ]] || die "the noise ended before the run did" "a run takes less than half an hour; see $out"
    stop_tree "$pid"
    wait "$pid" 2>/dev/null || true
  done
  burners=()
}

# noisy NAME TARGET-FILE EXIT...: the gate in the noise ends with one of these.
noisy() {
  local name=$1 file=$2 rc=0
  shift 2
  burn
  run_gate "$name" "$file" >"$out/$name.log" 2>&1 || rc=$?
  calm
  # shellcheck disable=SC2016 # a program of jq
  local verdict='"\(.verdict), \(.passing)/4, \([.checks[] | select(.outcome | IN("pass", "skipped") | not) | "\(.id) \(.outcome)"] | join(", "))"'
  printf '    %s: exit %s, %s\n' "$name" "$rc" "$(jq -r "$verdict" "$out/$name.json" 2>/dev/null || grep -m1 '^error' "$out/$name.log")"
  [[ " $* " == *" $rc "* ]] || refuse "$name" "$name ended with $rc, expected one of: $*" "read $out/$name.txt and $out/$name.log"
  [[ -z $(left_over) ]] || die "$name left something behind: $(left_over | tr '\n' ' ')" "cluster/kubectl -n $namespace get all"
}

main() {
  trap stop_jobs EXIT
  trap 'exit 130' INT TERM
  local number
  prepare
  step "install users and orders" "cluster/kubectl -n $namespace describe pods" install_users
  # Not 2 or 4 either: a busy machine is no error of anybody's.
  for ((number = 1; number <= runs; number++)); do noisy "noise-good-$number" "$repo_dir/golive.yaml" 0 3; done
  step "uninstall users" "cluster/helm -n $namespace list" uninstall users
  step "install the bare build" "cluster/kubectl -n $namespace describe pods" install_bare
  noisy noise-bare "$cluster_dir/bare.golive.yaml" 1 3
  step "uninstall the bare build" "cluster/helm -n $namespace list" uninstall users-bare
  say "no wrong verdict in the noise, in $SECONDS s; reports and evidence: $out"
}

main
