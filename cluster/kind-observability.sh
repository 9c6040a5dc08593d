#!/usr/bin/env bash
# Every query of the charts' rules and dashboards against what a real run exposes, and the collector's promise against what Jaeger has.
# The collector runs in the cluster by charts/observability; Prometheus and kube-state-metrics run here, on loopback, as long as this does.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=cluster/gate.sh
source "$cluster_dir/gate.sh"
# shellcheck source=cluster/operator.sh
source "$cluster_dir/operator.sh"
# shellcheck source=cluster/observability/lib.sh
source "$cluster_dir/observability/lib.sh"
# shellcheck source=cluster/observability/run.sh
source "$cluster_dir/observability/run.sh"

namespace=observability
closed=observability-closed
jobs_wanted="users-management orders-management observability/client observability/otel-collector golive/golive-operator golive/golive-admission kube-state-metrics apiserver"

# What the images are made of is there; nothing is compiled again.
ready() { kubectl_ get nodes && timeout 20 docker image inspect golive/users:0.1.0 golive/validator:0.1.0; }

# Decided 10 s after the first span, and looked up by what Jaeger has of users.
promise() {
  sleep 20
  curl -sf --max-time 20 -G "http://$prometheus/api/v1/query_exemplars" --data-urlencode 'query=http_server_request_duration_seconds_bucket{job="users-management"}' \
    -d "start=$began" -d "end=$(date +%s)" >"$here/exemplars.json"
  kubectl_ get --raw "/api/v1/namespaces/$namespace/services/jaeger-query:16686/proxy/api/traces?service=users&lookback=1h&limit=20000" >"$here/jaeger.json"
  "$cluster_dir/observability/traces.py" "$here/jaeger.json" "$here/exemplars.json" 5 0.5 "$here"/{healthy,slow-1,slow-2,slow-3,outage,after}.jsonl
}

queries() { timeout 600 "$cluster_dir/observability/queries.py" "http://$prometheus" "$began" "$cache/parts/promql/promql" "$@"; }

# A dashboard and a rule with a label that nobody has are refused: else the rest would prove nothing.
refuses() {
  local told
  sed 's/http_response_status_code/http_status/g' "$repo_dir/charts/service/dashboards/users.json" >"$here/broken.json"
  sed 's/by (pod, dependency)/by (pod, dependence)/' "$here/rules/alerts.yaml" >"$here/rules/broken.yaml"
  kill -HUP "$prometheus_pid"
  await 30 evaluated broken.yaml
  if told=$(queries "$here/broken.json"); then return 1; fi
  grep 'FAIL broken.json: Requests per second by status A: no label http_status:' <<<"$told"
  grep 'FAIL broken.yaml: ReadinessLost: no label dependence:' <<<"$told"
}

evaluated() {
  curl -sf --max-time 5 "http://$prometheus/api/v1/rules" | jq -e --arg file "$1" '[.data.groups[] | select(.file | endswith($file)) | .rules[].health] | . != [] and all(.[]; . == "ok")'
}

set_up() {
  step "programs from Go modules and Debian" "see that the Go module proxy and a Debian mirror answer" programs
  step "images of them" "docker images golive/*" images
  kubectl_ create namespace "$namespace"
  step "install the backends" "cluster/kubectl -n $namespace describe pods" install_backends
  step "install the collector" "cluster/kubectl -n $namespace logs deploy/otel-collector" install_collector
  step "install users, orders and a client" "cluster/kubectl -n $namespace describe pods" install_both
  step "install the operator" "cluster/kubectl -n golive logs deploy/golive-operator" install_operator
  step "install the webhook" "cluster/kubectl -n golive logs deploy/golive-admission" install_admission
}

# What is too large takes its whole batch with it: sent when there is nothing else to lose.
run_of_it() {
  local logs="cluster/kubectl -n $namespace logs"
  step "each target answers" "$here/prometheus.log, http://$prometheus/targets" await 120 scraped "$jobs_wanted"
  step "a trace that Jaeger does not take" "$logs deploy/otel-collector" too_large
  step "requests" "$here/healthy.jsonl" traffic healthy 90 40
  step "slow ones" "$logs deploy/postgres" slow
  step "an outage of Postgres, and after it" "$logs deploy/users" outage
  step "a container that ends with 1" "cluster/kubectl -n $namespace describe pods" ended
  step "another trace that Jaeger does not take" "$logs deploy/otel-collector" too_large
  step "the webhook is passed, and away" "cluster/kubectl -n golive logs deploy/golive-admission" admission
}

cleaned() {
  uninstall_operator
  kubectl_ delete namespace "$namespace" "$closed" golive --wait=false
  await 180 without_namespaces
}

without_namespaces() {
  local left
  left=$(kubectl_ get namespaces "$namespace" "$closed" golive --ignore-not-found -o name) && [[ -z $left ]]
}

ended_here() {
  stop_jobs
  rm -rf "$private"
}

main() {
  trap ended_here EXIT
  trap 'exit 130' INT TERM
  ready >"$cache/log/ready.log" 2>&1 || prepare_cluster
  rm -rf "$here" && mkdir -p "$here/rules"
  kubectl_ delete namespace "$namespace" "$closed" --ignore-not-found --timeout=50s
  set_up
  step "rules and settings of Prometheus" "$here/prometheus.yml" settings
  began=$(date +%s)
  start_prometheus
  run_of_it
  cat "$here/traffic.txt"
  local failed=0
  promise || failed=1
  step "a collector that has too much" "cluster/kubectl -n $namespace logs deploy/otel-collector" too_much
  queries "$repo_dir"/charts/*/dashboards/*.json | tee "$here/queries.txt" || failed=1
  step "broken queries are refused" "$here/queries.txt" refuses || failed=1
  ((!failed)) || die "not as the charts say" "read the FAIL lines above; $here, cluster/kubectl -n $namespace get pods"
  step "remove it" "cluster/kubectl get namespaces" cleaned
  say "every query of the charts finds what it asks for, $SECONDS s"
}

main
