#!/usr/bin/env bash
# The plain Job and the Helm hook of docs/pipelines in the kind cluster, by the account that they name, with nothing but the
# Role that `validator rbac` prints.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=cluster/gate.sh
source "$cluster_dir/gate.sh"

pipelines=$repo_dir/docs/pipelines

# Waits for either end: a NO-GO of minute six is told in minute six.
ended() { # JOB
  local conditions end=$((SECONDS + 1500))
  until conditions=$(kubectl_ -n "$namespace" get "job/$1" -o jsonpath='{.status.conditions[?(@.status=="True")].type}') &&
    [[ $conditions == *Complete* || $conditions == *Failed* ]]; do
    ((SECONDS < end)) || return 1
    sleep 5
  done
}

# The log goes to a file first: `grep -q` leaves a pipe at the first hit, and pipefail takes that for a failure.
approved() { # JOB
  ended "$1" && kubectl_ -n "$namespace" logs "job/$1" >"$out/$1.txt" && grep -q '^STATUS: APPROVED' "$out/$1.txt"
}

plain_job() {
  "$validator" rbac | kubectl_ -n "$namespace" apply -f -
  kubectl_ -n "$namespace" delete job golive --ignore-not-found --wait
  kubectl_ -n "$namespace" apply -f "$pipelines/job.yaml"
  approved golive
}

# A chart of nothing but the hook: installed first, since it runs after upgrades alone.
helm_hook() {
  local chart
  chart=$(mktemp -d)
  mkdir "$chart/templates"
  cp "$pipelines/helm-hook.yaml" "$chart/templates/"
  printf 'apiVersion: v2\nname: hook\nversion: 0.1.0\n' >"$chart/Chart.yaml"
  helm_ upgrade --install hook "$chart" -n "$namespace" --wait --timeout 1m
  helm_ upgrade hook "$chart" -n "$namespace" --wait --timeout 30m
  rm -r "$chart"
  approved hook-golive
  uninstall hook
  # Helm leaves what a hook created.
  kubectl_ -n "$namespace" delete job hook-golive --ignore-not-found --wait
}

main() {
  trap stop_jobs EXIT
  trap 'exit 130' INT TERM
  prepare
  step "install users and orders" "cluster/kubectl -n $namespace describe pods" install_users
  step "the plain Job" "cluster/kubectl -n $namespace logs job/golive" plain_job
  step "the Helm hook" "cluster/kubectl -n $namespace logs job/hook-golive" helm_hook
  kubectl_ -n "$namespace" delete --ignore-not-found -f "$pipelines/job.yaml"
  local left
  left=$(left_over)
  [[ -z $left ]] || die "something of a run is left" "$left"
  step "uninstall users" "cluster/helm -n $namespace list" uninstall users
  say "kind-pipelines passed in $SECONDS s"
}

main "$@"
