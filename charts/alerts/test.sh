# Sourced by charts/test.sh: what the charts offer to an on-call person, and whether it can be true.
# shellcheck shell=bash

alerts() {
  local all=monitoring.rules.enabled=true,monitoring.serviceMonitor.enabled=true,monitoring.dashboard.enabled=true
  render service --set "$all" --set fullnameOverride=users
  it 'the alerts name the job of the ServiceMonitor' 'one("ServiceMonitor") as $m | named("Service"; "users-management") as $s | ($s.metadata.labels | . + $m.spec.selector.matchLabels == .) and all(one("PrometheusRule").spec.groups[].rules[] | select(.expr | test("kube_") | not); .expr | contains("job=\"users-management\""))'
  it 'the scraped Service is headless, of the management port alone, and shows pods that are not ready' 'named("Service"; "users-management").spec | .clusterIP == "None" and .publishNotReadyAddresses and (.ports | map(.name)) == ["management"]'
  it 'the ServiceMonitor does not select the Service of the users' 'one("ServiceMonitor").spec.selector.matchLabels as $s | named("Service"; "users").metadata.labels | . + $s != .'
  it 'nothing of the templates is left in the rules' 'one("PrometheusRule") | tojson | test("JOB|NAMESPACE|RUNBOOKS") | not'
  it 'every alert says how grave it is, what it means and where to read on' 'all(one("PrometheusRule").spec.groups[].rules[]; (.labels.severity | IN("critical", "warning", "info")) and (.annotations | has("summary", "description", "runbook_url")))'
  it 'the dashboard is JSON' 'one("ConfigMap") | .metadata.labels.grafana_dashboard == "1" and (.data["users.json"] | fromjson.panels | length) >= 10'
  alert_units service test.yaml
  queries service users.json
  metric_names service "$charts/service/dashboards/users.json"
}

# The rules of $rendered as Prometheus loads them, through its own tests. The names of the alerts are kept for their pages.
alert_units() { # CHART TEST-FILE
  local output
  "$cluster_dir/tools.sh" promtool >&2
  jq 'map(select(.kind == "PrometheusRule"))[0].spec' <<<"$rendered" >"$scratch/rules.yaml"
  cp "$charts/alerts/$2" "$scratch/test.yaml"
  if output=$(timeout 60 "$cache/bin/promtool" check rules "$scratch/rules.yaml" 2>&1); then pass "$1: promtool accepts the rules"; else fail "$1: promtool accepts the rules" "$output"; fi
  if output=$(timeout 60 "$cache/bin/promtool" test rules "$scratch/test.yaml" 2>&1); then pass "$1: each alert fires when it should, and only then"; else fail "$1: each alert fires when it should, and only then" "$output"; fi
  output=$(comm -3 <(alert_names) <(sed -n 's/.*alertname: \([A-Za-z]*\).*/\1/p' "$charts/alerts/$2" | sort -u))
  if [[ -z $output ]]; then pass "$1: every alert has a unit test"; else fail "$1: every alert has a unit test" "$output"; fi
  alert_names >>"$scratch/alerts"
}

alert_names() { jq -r '.groups[].rules[].alert // empty' "$scratch/rules.yaml" | sort; }

# Called after the alerts of every chart.
alert_pages() {
  local difference
  difference=$(comm -3 <(sort "$scratch/alerts") <(cd "$charts/../docs/runbooks" && printf '%s\n' [A-Z]*.md | grep -v README | sed 's/\.md$//' | sort)) || true
  if [[ -z $difference ]]; then pass 'every alert has its page and every page its alert'; else fail 'every alert has its page and every page its alert' "$difference"; fi
}

# Prometheus can read every query of a dashboard. What Grafana fills in stands within strings, but for the length of a range.
queries() { # CHART DASHBOARD
  local output
  jq '[.. | objects | select(has("expr")).expr | gsub("[$]__rate_interval"; "5m")] |
    {groups: [{name: "panels", rules: [to_entries[] | {record: "panel:query:\(.key)", expr: .value}]}]}' "$charts/$1/dashboards/$2" >"$scratch/queries.yaml"
  if output=$(timeout 60 "$cache/bin/promtool" check rules "$scratch/queries.yaml" 2>&1) && [[ $output != *" 0 rules found"* ]]; then
    pass "$1: promtool reads every query of $2"
  else
    fail "$1: promtool reads every query of $2" "$output"
  fi
}

# Every series that a rule or a panel asks for is one that somebody exports.
metric_names() { # CHART [DASHBOARD]
  local chart=$1 known unknown
  shift
  known=$({ exported && by_webhook && by_others && jq -r '.groups[].rules[].record // empty' "$scratch/rules.yaml"; } | sort -u)
  unknown=$(comm -23 <(asked "$@") <(printf '%s\n' "$known"))
  if [[ -z $unknown ]]; then pass "$chart: every metric in rules and dashboard exists"; else fail "$chart: every metric in rules and dashboard exists" "$unknown"; fi
}

# The names in the rules and in dashboards: what stands before a selector or a range, and what a rule has recorded.
asked() { # [DASHBOARD]
  { jq -r '.groups[].rules[].expr' "$scratch/rules.yaml" && if (($#)); then jq -r '.. | objects | select(has("expr")).expr' "$1"; fi; } |
    sed 's/"[^"]*"//g' | grep -oE '[a-z_][a-z0-9_:]*[[{]|[a-z_]+:[a-z0-9_:]+' | tr -d '[{' | sort -u
}

# What others export: kube-state-metrics, the API server, OpenTelemetry's collector, and clients of databases and HTTP that follow its
# conventions. cluster/kind-observability.sh scrapes all of it.
by_others() {
  printf '%s\n' kube_pod_container_status_{last_terminated_exitcode,restarts_total} kube_deployment_{spec_replicas,status_replicas_available} \
    apiserver_admission_webhook_fail_open_count db_client_operation_duration_seconds_count http_client_request_duration_seconds_count \
    otelcol_exporter_{sent,send_failed,enqueue_failed}_spans_total otelcol_receiver_{accepted,refused}_spans_total \
    otelcol_processor_tail_sampling_{count_traces_sampled,sampling_trace_dropped_too_early}_total
}

# The counters of the webhook as its source names them; a test of it holds what it exposes to the alerts.
by_webhook() { sed -n 's/.*registry\.register("\(golive_admission_[a-z_]*\)".*/\1_total/p' "$charts/../validator/src/admission/"*.rs; }

# The names of the service's series as its README lists them; a test of the service holds the README to the truth.
exported() {
  sed -n '/^## Metrics/,/^## /p' "$charts/../service/README.md" | grep -oE '`[a-z_]+' | tr -d '`' | while read -r name; do
    printf '%s\n' "$name"
    if [[ $name == *_seconds ]]; then printf '%s\n' "$name"_{bucket,sum,count}; fi
  done
}

autoscaling_and_policy() {
  render service --set autoscaling.enabled=true,replicas=1
  it 'an autoscaler sets the copies, the Deployment does not' '(deployment.spec | has("replicas") | not) and (one("HorizontalPodAutoscaler").spec | .scaleTargetRef.name == "users" and .minReplicas == 3 and .maxReplicas == 10)'
  it 'the disruption budget goes by the fewest copies' 'all("PodDisruptionBudget") | length == 1'
  render service --set networkPolicy.enabled=true
  it 'a policy without peers lets everybody to the users, and nobody to the management port' 'one("NetworkPolicy").spec | .policyTypes == ["Ingress"] and .ingress == [{ports: [{port: "http", protocol: "TCP"}]}]'
  render service --set networkPolicy.enabled=true --set-json 'networkPolicy.from=[{"podSelector":{}}]' --set-json 'networkPolicy.monitoringFrom=[{"namespaceSelector":{}}]' --set-json 'networkPolicy.egress=[{"ports":[{"port":5432}]}]'
  it 'peers and egress are taken over, and names can still be looked up' 'one("NetworkPolicy").spec | .policyTypes == ["Ingress", "Egress"] and .ingress[0].from == [{podSelector: {}}] and .ingress[1].from == [{namespaceSelector: {}}] and (.egress | map(.ports[].port)) == [53, 53, 5432]'
}
