# What Prometheus' operator would scrape by the ServiceMonitors and PodMonitors of the charts, with its labels: lists of pods in, file_sd out.
# The job is the Service's name for a ServiceMonitor (charts/service), and else namespace/name of the PodMonitor.
[.[].items[]
  | select(.status.podIP and (.status.phase | IN("Pending", "Running")))
  | .metadata as $m | .status.podIP as $ip
  | $m.labels["app.kubernetes.io/name"] as $name
  | .spec.containers[] | .name as $container
  | .ports[]? | select(.name | IN("management", "metrics"))
  | { targets: [$api],
      labels: {
        __metrics_path__: "/api/v1/namespaces/\($m.namespace)/pods/\($m.name):\(.containerPort)/proxy/metrics",
        job: (if $name == "users" then "\($m.labels["app.kubernetes.io/instance"])-management" else "\($m.namespace)/\($name)" end),
        namespace: $m.namespace, pod: $m.name, container: $container, endpoint: .name, instance: "\($ip):\(.containerPort)" } }]
