#!/usr/bin/env bash
# The operator with 200 checks, through 10,000 reconciles: its memory stays flat, and it writes nothing where nothing has changed, as the API
# server counts it. Half of the checks have a verdict, a quarter waits for a deployment that never settles, for a quarter there is none.
# Nothing runs: no pod is made for it. Usage: kind-operator-soak.sh [RECONCILES]
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=cluster/gate.sh
source "$cluster_dir/gate.sh"
# shellcheck source=cluster/operator.sh
source "$cluster_dir/operator.sh"

namespace=soak
checks=200
reconciles=${1:-10000}
[[ $reconciles =~ ^[1-9][0-9]{0,5}$ ]] || die "not a number of reconciles: $reconciles" "kind-operator-soak.sh 10000"

in_soak() { kubectl_ -n "$namespace" "$@"; }

# Without pods: one has no replicas, the other is paused before its first pod.
deployments() {
  kubectl_ create namespace "$namespace"
  in_soak create deployment still --image=golive/users:0.1.0 --replicas=0
  in_soak create deployment paused --image=golive/users:0.1.0 --replicas=1 --dry-run=client -o json | jq '.spec.paused = true' | in_soak apply -f -
}

# check_of NAME DEPLOYMENT: as small as one may be.
check_of() {
  jq -n --arg name "$1" --arg deployment "$2" '{
    apiVersion: "golive.dev/v1alpha1", kind: "GoLiveCheck", metadata: { name: $name },
    spec: { target: { deployment: $deployment, service: $deployment }, traffic: { rate: 100, requests: [{ get: "/" }] } } }'
}

# By a check of its own: what a deployment is known by.
hash_of_still() {
  check_of probe still | in_soak apply -f - >&2
  await 60 hash_told
  check probe '{.status.candidateHash}'
  in_soak delete golivecheck probe --wait >&2
}

hash_told() { [[ -n $(check probe '{.status.candidateHash}') ]]; }

# Runs that have ended, each with the verdict of a check that is not there yet: nobody follows them meanwhile.
runs_ended() {
  local hash number until
  hash=$(hash_of_still) until=$(date -u -d '30 days' +%F)
  for ((number = 0; number < checks / 2; number++)); do
    jq -n --arg check "$(name "$number")" --arg hash "$hash" --arg until "$until" '{
      apiVersion: "golive.dev/v1alpha1", kind: "GoLiveRun", metadata: { name: "\($check)-run", labels: { "golive.dev/check": $check } },
      spec: { check: $check, templateHash: $hash },
      status: { phase: "Ended", verdict: "GO", passing: "4/4", findings: [], ended: "2026-01-01T00:00:00Z", validUntil: $until } }'
  done >"$out/soak-runs.json"
  in_soak apply --server-side -f "$out/soak-runs.json"
  in_soak apply --server-side --subresource=status -f "$out/soak-runs.json"
}

name() { printf 'c-%03d' "$1"; }

all_checks() {
  local number deployment
  for ((number = 0; number < checks; number++)); do
    if ((number < checks / 2)); then deployment=still; elif ((number % 2)); then deployment=paused; else deployment=absent; fi
    check_of "$(name "$number")" "$deployment"
  done | in_soak apply --server-side -f -
}

# How many checks say so, as REASON of the condition TYPE.
saying() { # TYPE REASON
  in_soak get golivechecks -o json | jq --arg type "$1" --arg reason "$2" '[.items[] | select(any(.status.conditions[]?; .type == $type and .reason == $reason))] | length'
}

all_told() { [[ "$(saying GoLive Go) $(saying Complete Waiting) $(saying Stalled CannotRun)" == "$((checks / 2)) $((checks / 4)) $((checks / 4))" ]]; }

reconciled() { metrics_of "$(operator_pod)" | awk '/^golive_reconciles_total/ { print $2 }'; }

# Resident memory of the operator's pod in KiB, as its kubelet has it.
memory() {
  local pod node
  pod=$(operator_pod)
  node=$(kubectl_ -n golive get pod "$pod" -o jsonpath='{.spec.nodeName}')
  kubectl_ get --raw "/api/v1/nodes/$node/proxy/stats/summary" | jq --arg pod "$pod" '[.pods[] | select(.podRef.name == $pod) | .memory.rssBytes / 1024 | floor][0]'
}

# Writes that the API server has counted since it began: of the operator's kinds and of Jobs, without the test's own (checks are written by
# it, and their status by the operator alone); and Events of the namespace.
writes() {
  local counted
  counted=$(kubectl_ get --raw /metrics | grep '^apiserver_request_total' | grep -E 'verb="(POST|PUT|PATCH|APPLY|DELETE)"' |
    grep -E 'resource="golivechecks".*subresource="status"|resource="(goliveruns|golivepolicies)"|group="batch",resource="jobs"' | awk '{ sum += $NF } END { print sum + 0 }')
  printf '%d' "$((counted + $(in_soak get events -o name | wc -l)))"
}

# Changes that are none: a deployment's annotation asks for a look at every check of it. Ends before the first Event does (after an hour).
until_reconciled() { # HOW-MANY
  local end=$((SECONDS + 2700)) round=0 so_far=0
  while ((so_far < $1)); do
    ((SECONDS < end)) || return 1
    in_soak annotate deployment still paused golive.test/touched="$((round += 1))" --overwrite
    sleep 2
    memory >>"$out/soak-memory.txt"
    so_far=$(reconciled)
    [[ $so_far =~ ^[0-9]+$ ]] || return 1
  done
}

soak() {
  local before after pod
  : >"$out/soak-memory.txt"
  before=$(writes) pod=$(operator_pod)
  until_reconciled "$reconciles"
  after=$(writes)
  printf 'writes: %d before, %d after\n' "$before" "$after"
  [[ $after == "$before" && $(kubectl_ -n golive get pods -l app.kubernetes.io/name=golive-operator \
    -o jsonpath='{.items[*].metadata.name} {.items[0].status.containerStatuses[0].restartCount}') == "$pod 0" ]]
}

# Through the last three quarters of the samples, against their begin: a tenth is what an allocator may hold back.
memory_flat() {
  awk '{ at[NR] = $1 } END {
    begin = int(NR / 4) + 1; low = at[begin]; high = low
    for (i = begin; i <= NR; i++) { if (at[i] > high) high = at[i]; if (at[i] < low) low = at[i] }
    printf "memory: %d samples, %d KiB after a quarter of them, %d to %d KiB from there on\n", NR, at[begin], low, high
    exit !(NR >= 8 && high <= at[begin] * 1.1) }' "$out/soak-memory.txt"
}

# That a change is written, and once.
one_write() {
  local before
  before=$(writes)
  in_soak patch golivecheck c-000 --type=merge -p '{"spec":{"traffic":{"rate":120}}}'
  await 30 told_generation 2
  sleep 5
  (($(writes) == before + 1))
}

told_generation() { [[ $(check c-000 '{.status.observedGeneration}') == "$1" ]]; }

main() {
  trap stop_jobs EXIT
  trap 'exit 130' INT TERM
  prepare_cluster
  mkdir -p "$out"
  kubectl_ delete namespace "$namespace" --ignore-not-found --timeout=50s
  step "deployments without pods" "cluster/kubectl -n $namespace get deployments" deployments
  step "install the operator" "cluster/kubectl -n golive logs deploy/golive-operator" install_operator
  step "runs that have ended" "cluster/kubectl -n $namespace get glr" runs_ended
  local before
  before=$(writes)
  step "$checks checks" "cluster/kubectl -n $namespace get glc" all_checks
  step "each has its status" "cluster/kubectl -n $namespace get glc" await 300 all_told
  # Else it is not the operator's writes that are counted.
  (($(writes) >= before + checks)) || die "the API server did not count a write for each status" "cluster/kubectl get --raw /metrics"
  step "$reconciles reconciles, and no write" "cluster/kubectl -n golive logs deploy/golive-operator" soak
  step "a change is written, and once" "cluster/kubectl -n $namespace get glc c-000 -o yaml" one_write
  local told
  told=$(memory_flat) || die "it is not flat: $told" "$out/soak-memory.txt"
  say "$told"
  say "$(reconciled) reconciles in $SECONDS s, $(tail -n 1 "$cache/log/$reconciles-reconciles-and-no-write.log")"
  uninstall_operator
  kubectl_ delete namespace "$namespace" --timeout=50s
}

main
