# Sourced by kind-observability.sh: what is done to the services, to Postgres, to the collector and to the webhook while Prometheus looks on.
# shellcheck shell=bash disable=SC2154

in_it() { kubectl_ -n "$namespace" "$@"; }
sql() { in_it exec deployment/postgres -- psql -U users -d "$1" -c "$2"; } # DATABASE STATEMENT

address() {
  printf '%s:%s' "$(kubectl_ get nodes -o jsonpath='{.items[0].status.addresses[?(@.type=="InternalIP")].address}')" \
    "$(in_it get service users -o jsonpath='{.spec.ports[0].nodePort}')"
}

# traffic NAME SECONDS RATE: what becomes of each request is kept.
traffic() { timeout $(($2 + 60)) "$cluster_dir/observability/traffic.py" "$(address)" "$2" "$3" "$here/$1.jsonl" | sed "s/^/$1: /" | tee -a "$here/traffic.txt"; }

# failed_trace LENGTH: straight to the collector, one of an error with a text as long as this.
failed_trace() {
  local now
  now=$(date +%s%N)
  jq -n --arg id "$(printf '%032x' "$now")" --arg begin "$now" --argjson length "$1" '{ resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: $id, spanId: $id[16:],
    name: "a test", kind: 1, startTimeUnixNano: $begin, endTimeUnixNano: $begin, status: { code: 2 },
    attributes: [{ key: "text", value: { stringValue: ("x" * $length) } }] }] }] }] }' |
    curl -sSf -o /dev/null --max-time 30 --cacert "$private/ca.pem" --cert "$private/client.pem" --key "$private/client.key" -H 'content-type: application/json' --data-binary @- \
      "https://$(api)/api/v1/namespaces/$namespace/services/otel-collector:4318/proxy/v1/traces"
}

# Above 4 MiB: kept, and refused by Jaeger for good. Nothing else is decided in the same second.
too_large() {
  sleep 3
  failed_trace 5000000
  sleep 3
}

# Nobody reads users for a while, as when a migration has the table.
slow() {
  local round
  for round in 1 2 3; do
    sql users "BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3); COMMIT" &
    await 10 locked
    traffic "slow-$round" 1 24
    wait $!
  done
}

locked() { sql users "SELECT 'held' FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'users'::regclass" | grep held; }

# Nothing stands behind the Service of Postgres any more, and whoever was connected is not.
outage() {
  in_it patch service postgres -p '{"spec":{"selector":{"golive.test/away":"yes"}}}'
  sql postgres "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'users'"
  traffic outage 40 30
  in_it patch service postgres -p '{"spec":{"selector":{"golive.test/away":null}}}'
  await 90 recovered
  traffic after 20 40
}

recovered() {
  local told
  told=$(curl -sf --max-time 5 -D - -o /dev/null "http://$(address)/api/users/1/orders") && [[ ${told,,} != *cache-status* ]]
}

# A second signal does not wait for the end of the drain: exit code 1, and the container is started again.
ended() {
  local pod
  pod=$(in_it get pods -l app.kubernetes.io/instance=users,app.kubernetes.io/name=users -o jsonpath='{.items[0].metadata.name}')
  in_it debug "$pod" --image="$postgres_image" --target=users --profile=restricted -- sh -c 'kill -TERM 1; sleep 1; kill -TERM 1'
  await 60 ended_with "$pod" 1
  in_it rollout status deployment/users --timeout=50s
}

ended_with() { [[ $(in_it get pod "$1" -o jsonpath='{.status.containerStatuses[0].lastState.terminated.exitCode}') == "$2" ]]; }

# Somebody breaks the glass, and then nobody answers for as long as Prometheus needs to see it.
admission() {
  close_namespace "$closed"
  await 60 broken_glass
  without_admission "$closed" 20
}

broken_glass() {
  kubectl_ -n "$closed" delete deployment glass --ignore-not-found
  break_glass "$closed" "a test"
  kubectl_ -n "$closed" get events --field-selector reason=BreakGlass -o name | grep event
}

# A collector that holds eight traces and queues one batch, while nobody takes any. Only what is sent here comes: at first more than it holds,
# and then slowly enough to be decided one by one.
too_much() {
  in_it scale deployment jaeger client --replicas=0
  in_it get configmap otel-collector -o json | jq '.data["config.yaml"] |= (sub("num_traces: [0-9]+"; "num_traces: 8")
    | sub("endpoint: jaeger-collector:4317"; "endpoint: jaeger-collector:4317\n    sending_queue: { queue_size: 1, num_consumers: 1 }"))' | kubectl_ apply -f -
  in_it rollout restart deployment/otel-collector
  # The one before tries to pass on what it holds, until it is killed.
  await 120 in_it rollout status deployment/otel-collector --timeout=5s
  local round
  for round in {1..15}; do failed_trace "$round"; done
  for round in {1..12}; do failed_trace "$round" && sleep 2; done
  await 60 found 'rate(otelcol_exporter_enqueue_failed_spans_total[1m]) > 0'
  await 60 found 'rate(otelcol_processor_tail_sampling_sampling_trace_dropped_too_early_total[1m]) > 0'
}

found() { curl -sf --max-time 5 -G "http://$prometheus/api/v1/query" --data-urlencode "query=$1" | jq -e '.data.result != []'; }
