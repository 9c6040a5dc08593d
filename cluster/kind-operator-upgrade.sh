#!/usr/bin/env bash
# From the CRDs of the last release (upgrade/crds.yaml) with objects of all its kinds to those of now and the chart: nothing of an object is lost,
# its verdict holds, nothing is run again, and what is new can be said. Removes the CRDs that are there, and with them their objects.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=cluster/gate.sh
source "$cluster_dir/gate.sh"
# shellcheck source=cluster/operator.sh
source "$cluster_dir/operator.sh"

namespace=upgrade
last=$cluster_dir/upgrade

# What the last release knew the deployment below by. Another hash of the same template would have every candidate run again.
template=237022428d

in_upgrade() { kubectl_ -n "$namespace" "$@"; }

last_release() {
  kubectl_ delete -f "$last/crds.yaml" --ignore-not-found --timeout=50s
  # As helm has installed them.
  kubectl_ apply --server-side --field-manager=helm -f "$last/crds.yaml"
  kubectl_ wait --for=condition=Established -f "$last/crds.yaml" --timeout=30s
}

objects() {
  kubectl_ create namespace "$namespace"
  # Settled, so that another candidate would be run.
  in_upgrade create deployment still --image="$redis_image"
  in_upgrade rollout status deployment still --timeout=50s
  in_upgrade create configmap still-0123456789-report --from-file="$last/report.json.gz"
  # The run first: a check whose run has no status yet would have it followed, were there an operator already.
  sed "s/TEMPLATE/$template/" "$last/objects.yaml" | kubectl_ apply -f -
  status_of_run | applied_by_operator
  status_of_check | applied_by_operator
}

# What it does not say any more goes: the fields are its own.
applied_by_operator() { in_upgrade apply --server-side --subresource=status --field-manager=golive-operator -f -; }

# Of what stands in the report.
status_of_run() {
  gunzip -c "$last/report.json.gz" | jq -c '{ apiVersion: "golive.dev/v1alpha1", kind: "GoLiveRun", metadata: { name: "still-0123456789" }, status: { phase: "Ended", verdict, passing: "\(.passing)/4", findings: ["GL-R006 waived: a runbook"],
    digest: .identity.digest, templateHash: .identity.template_hash, policy: "upgrade", ended: .identity.ended, validUntil: "2036-11-23",
    report: "still-0123456789-report" } }'
}

status_of_check() {
  status_of_run | jq -c --arg hash "$template" '.kind = "GoLiveCheck" | .metadata.name = "still" | .status |= (del(.phase) + { observedGeneration: 1, run: "still-0123456789", candidate: "redis:7.0",
    candidateHash: $hash, conditions: [["Complete", "True", "RunEnded"], ["GoLive", "True", "Go"], ["Stalled", "False", "CanRun"]
      | { type: .[0], status: .[1], reason: .[2], message: "", observedGeneration: 1, lastTransitionTime: "2026-11-01T00:00:00Z" }] })'
}

# kept FILE: everything that somebody wrote into these objects, without what the API server adds, the texts of conditions, and
# conditions that the last release did not have.
kept() {
  { kubectl_ get golivepolicy upgrade -o json && in_upgrade get golivecheck still -o json && in_upgrade get goliverun still-0123456789 -o json &&
    in_upgrade get configmap still-0123456789-report -o json; } |
    jq -S '{ kind, metadata: (.metadata | { name, uid, labels, annotations, generation }), spec, binaryData, status }
      | del(.status.conditions[]?.message) | del(.status.conditions[]? | select(.type | IN("Complete", "GoLive", "Stalled") | not))' >"$out/$1"
}

# Once it has heard of the check it has looked, and what it would begin it has begun.
settled() { metrics_of "$(operator_pod)" | grep -q '^golive_reconciles_total [1-9]'; }

nothing_lost() {
  await 60 settled
  sleep 5
  kept upgraded.json
  diff "$out/last-release.json" "$out/upgraded.json"
  [[ $(in_upgrade get goliveruns,jobs -o name) == goliverun.golive.dev/still-0123456789 ]]
}

still_proven() {
  local digest
  in_upgrade get configmap still-0123456789-report -o json | jq -r '.binaryData["report.json.gz"]' | base64 -d | gunzip >"$out/upgrade-report.json"
  kubectl_ get golivepolicy upgrade -o json | jq '{ apiVersion, kind, metadata: { name: .metadata.name }, spec }' >"$out/upgrade-policy.json"
  digest=$(jq -r .identity.digest "$out/upgrade-report.json")
  timeout 20 "$validator" verify "$digest" --report "$out/upgrade-report.json" --policy "$out/upgrade-policy.json"
}

observed_told() { [[ -n $(condition still Observed) ]]; }

new_is_taken() {
  in_upgrade patch golivecheck still --type=merge -p '{"spec":{"always":{"plan":"observe"}}}'
  await 30 observed_told
  [[ $(check still '{.spec.always.plan} {.spec.always.keep} {.status.verdict}') == "observe 3 GO" ]]
}

main() {
  trap stop_jobs EXIT
  trap 'exit 130' INT TERM
  prepare_cluster
  mkdir -p "$out"
  kubectl_ delete namespace "$namespace" --ignore-not-found --timeout=50s
  step "CRDs of the last release" "cluster/kubectl get crds" last_release
  step "objects of the last release" "cluster/kubectl -n $namespace get glc,glr" objects
  kept last-release.json
  step "CRDs and chart of now" "cluster/kubectl -n golive logs deploy/golive-operator" install_operator
  step "nothing is lost, and nothing run again" "diff $out/last-release.json $out/upgraded.json" nothing_lost
  step "its GO still holds" "cat $out/upgrade-report.json" still_proven
  step "what is new is taken" "cluster/kubectl -n $namespace get glc still -o yaml" new_is_taken
  uninstall_operator
  kubectl_ delete golivepolicy upgrade
  kubectl_ delete namespace "$namespace" --timeout=50s
  say "upgraded in $SECONDS s: all as it was"
}

main
