#!/usr/bin/env bash
# The operator in the kind cluster: the good and the bare build get their verdicts, the same image no second run, an operator that is
# killed finds its run again, and a check that is deleted in mid-run leaves the template as it was.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=cluster/gate.sh
source "$cluster_dir/gate.sh"

check() { kubectl_ -n "$namespace" get golivecheck "$1" -o jsonpath="$2"; }
runs_of() { kubectl_ -n "$namespace" get goliveruns -l "golive.dev/check=$1" -o name | wc -l; }

install_operator() {
  kubectl_ apply --server-side -f "$repo_dir/charts/validator/crds"
  helm_ upgrade --install golive "$repo_dir/charts/validator" -n golive --create-namespace --set "watch={$namespace}" --wait --timeout 3m
}

# Not kubectl_, which is given a minute: a run takes seven.
complete() { # CHECK
  timeout 1800 "$cache/bin/kubectl" --kubeconfig "$kubeconfig" --context "$context" -n "$namespace" \
    wait --for=condition=Complete "golivecheck/$1" --timeout=29m
}

# verdict CHECK FILE VERDICT: applies a target file and waits for what is found.
verdict() {
  kubectl_ -n "$namespace" apply -f "$2"
  complete "$1"
  [[ $(check "$1" '{.status.verdict}') == "$3"* ]]
}

# The same candidate is run once, whatever is written on its deployment from outside of the template.
no_second_run() { # CHECK
  local before
  before=$(runs_of "$1")
  kubectl_ -n "$namespace" annotate deployment "$1" golive.test/touched="$SECONDS" --overwrite
  sleep 60
  [[ $(runs_of "$1") == "$before" ]]
}

running() { [[ -n $(kubectl_ -n "$namespace" get jobs -l "golive.dev/check=$1" -o jsonpath='{.items[?(@.status.active==1)].metadata.name}') ]]; }

killed_operator() {
  kubectl_ -n "$namespace" annotate golivecheck users golive.dev/run="$SECONDS" --overwrite
  await 120 running users
  kubectl_ -n golive delete pod -l app.kubernetes.io/name=golive-operator --grace-period=0 --force
  complete users
  [[ $(check users '{.status.verdict}') == GO* ]]
}

template() { kubectl_ -n "$namespace" get deployment users -o jsonpath='{.spec.template.spec}'; }
led() { [[ $(template) == *agent.golive.invalid* ]]; }
clean() { [[ $(template) != *agent.golive.invalid* && -z $(left_over) ]]; }

deleted_check() {
  kubectl_ -n "$namespace" annotate golivecheck users golive.dev/run="$SECONDS" --overwrite
  await 600 led
  kubectl_ -n "$namespace" delete golivecheck users --wait
  await 600 clean
}

main() {
  trap stop_jobs EXIT
  trap 'exit 130' INT TERM
  prepare_cluster
  mkdir -p "$out"
  # No account of ours: the chart makes the one that runs have, in each namespace.
  kubectl_ -n "$namespace" delete serviceaccount,role,rolebinding golive-validator --ignore-not-found
  step "install the backends in $namespace" "cluster/kubectl -n $namespace describe pods" install_backends
  step "install the operator" "cluster/kubectl -n golive logs deploy/golive-operator" install_operator
  step "install users and orders" "cluster/kubectl -n $namespace describe pods" install_users
  step "the good build is GO" "cluster/kubectl -n $namespace get glc,glr,jobs" verdict users "$repo_dir/golive.yaml" GO
  step "it is not run again" "cluster/kubectl -n $namespace get glr" no_second_run users
  step "an operator killed in mid-run" "cluster/kubectl -n $namespace get glc,glr,jobs" killed_operator
  step "a check deleted in mid-run" "cluster/kubectl -n $namespace get all -l golive.dev/run" deleted_check
  step "uninstall users" "cluster/helm -n $namespace list" uninstall users
  step "install the bare build" "cluster/kubectl -n $namespace describe pods" install_bare
  step "the bare build is NO-GO" "cluster/kubectl -n $namespace get glc,glr,jobs" verdict users-bare "$cluster_dir/bare.golive.yaml" NO-GO
  step "NO-GO is not repeated" "cluster/kubectl -n $namespace get glr" no_second_run users-bare
  kubectl_ -n "$namespace" delete golivecheck users-bare --wait
  step "uninstall users-bare" "cluster/helm -n $namespace list" uninstall users-bare
  helm_ uninstall golive -n golive --wait --timeout 2m
  say "the operator: all as it should be"
}

main
