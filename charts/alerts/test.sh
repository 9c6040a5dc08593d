# Sourced by charts/test.sh: what the chart offers to an on-call person, and whether it can be true.
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
  metric_names
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

# Every series that a rule or a panel asks for is one that the service, or kube-state-metrics, exports.
metric_names() {
  local asked known unknown
  asked=$({ jq -r '.groups[].rules[].expr' "$scratch/rules.yaml" && jq -r '.panels[].targets[].expr' "$charts/service/dashboards/users.json"; } |
    grep -oE '[a-z_]+\{' | tr -d '{' | sort -u)
  known=$({ exported && printf '%s\n' kube_pod_container_status_{last_terminated_exitcode,restarts_total}; } | sort -u)
  unknown=$(comm -23 <(printf '%s\n' "$asked") <(printf '%s\n' "$known"))
  if [[ -z $unknown ]]; then pass 'every metric in rules and dashboard exists'; else fail 'every metric in rules and dashboard exists' "$unknown"; fi
}

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
