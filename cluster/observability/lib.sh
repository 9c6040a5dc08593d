# Sourced by kind-observability.sh: the programs that it needs, what it installs, and what it starts here.
# shellcheck shell=bash disable=SC2034,SC2154

here=$out/observability
# What the kubeconfig holds, as long as this runs.
private=$cache/run/observability
prometheus=127.0.0.1:29090
kube_state_metrics=127.0.0.1:29091
collector_image=golive/collector:$(sed -n 's/.*tailsamplingprocessor v//p' "$cluster_dir/go/collector/go.mod")

programs() {
  local program
  for program in collector client promql kube-state-metrics; do "$cluster_dir/modules.sh" "$program"; done
  "$cluster_dir/tools.sh" prometheus promtool
}

# The program alone, as our own images are made.
image() { # PROGRAM IMAGE
  local root recipe
  recipe=$(digest_of "$cache/parts/$1/$1")
  if [[ $(docker image inspect -f '{{index .Config.Labels "golive.recipe"}}' "$2" 2>/dev/null) == "$recipe" ]]; then return; fi
  root=$(mktemp -d "$cache/$1.XXXXXX")
  install -m 0755 "$cache/parts/$1/$1" "$root/$1"
  tar -C "$root" --owner=0 --group=0 -c . | timeout 300 docker import --change 'USER 65532' \
    --change "ENTRYPOINT [\"/$1\"]" --change "LABEL golive.recipe=$recipe" - "$2"
  rm -rf "$root"
}

images() {
  image collector "$collector_image"
  image client golive/client:test
  "$cluster_dir/load.sh" "$collector_image" golive/client:test golive/users:0.1.0 golive/validator:0.1.0 "${backend_images[@]}"
}

# As README.md of the chart says, but for the kinds of Prometheus' operator, which is not here.
install_collector() {
  helm_ upgrade --install observability "$repo_dir/charts/observability" -n "$namespace" --set "collector.image=$collector_image" \
    --set monitoring.rules.enabled=false,monitoring.dashboard.enabled=false,monitoring.podMonitor.enabled=false --wait --timeout 3m
}

# Both ask the collector, and sample everything. Who asks Postgres in vain has copies and the circuit, and stays ready.
install_both() {
  local given=(-n "$namespace" -f "$repo_dir/charts/service/values-demo.yaml" --set "otel.endpoint=http://otel-collector:4318/v1/traces,otel.sampleRatio=1"
    --set readiness.postgres=optional --wait --timeout 4m)
  helm_ upgrade --install orders "$repo_dir/charts/service" --set fullnameOverride=orders,replicas=1,demo.seedUsers=0 "${given[@]}"
  helm_ upgrade --install users "$repo_dir/charts/service" --set fullnameOverride=users,orders.url=http://orders:8080,service.type=NodePort "${given[@]}"
  kubectl_ -n "$namespace" apply -f "$cluster_dir/observability/client.yaml"
  kubectl_ -n "$namespace" rollout status deployment/client --timeout=50s
}

# rules FILE CHART TEMPLATE ARGUMENT...: as Prometheus reads them, out of the PrometheusRule that the chart makes.
rules() {
  local file=$1 chart=$2 template=$3
  shift 3
  timeout 60 "$cache/bin/helm" template "$repo_dir/charts/$chart" --show-only "templates/$template.yaml" --set monitoring.rules.enabled=true "$@" |
    sed -n '/^spec:$/,$p' | sed '1d; s/^  //' >"$here/rules/$file.yaml"
}

# The kubeconfig alone, and its parts for those who read none.
account_files() {
  (umask 077 && mkdir -p "$private" && kubectl_ config view --raw --minify -o json >"$private/kubeconfig")
  jq -r '.clusters[0].cluster["certificate-authority-data"] | @base64d' "$private/kubeconfig" >"$private/ca.pem"
  jq -r '.users[0].user["client-certificate-data"] | @base64d' "$private/kubeconfig" >"$private/client.pem"
  (umask 077 && jq -r '.users[0].user["client-key-data"] | @base64d' "$private/kubeconfig" >"$private/client.key")
}

# Rules and settings of Prometheus.
settings() {
  account_files
  rules pillars observability monitoring --name-template observability -n "$namespace" --set monitoring.dashboard.enabled=false
  rules alerts service prometheusrule --name-template users -n "$namespace" --set fullnameOverride=users
  rules admission validator monitoring --name-template golive -n golive --set "watch={$namespace}" --set admission.enabled=true,admission.caBundle=authority
  sed "s|FOLDER|$here|g; s|PRIVATE|$private|g; s|KUBE_STATE_METRICS|$kube_state_metrics|; s|\"API\"|\"$(api)\"|" \
    "$cluster_dir/observability/prometheus.yml" >"$here/prometheus.yml"
  timeout 60 "$cache/bin/promtool" check config "$here/prometheus.yml"
}

api() { jq -r '.clusters[0].cluster.server | ltrimstr("https://")' "$private/kubeconfig"; }

# The pods that there are, again and again; a list that cannot be had leaves the last one.
targets() {
  local each api
  api=$(api)
  while true; do
    if for each in "$namespace" golive; do kubectl_ -n "$each" get pods -o json; done | jq -s --arg api "$api" -f "$cluster_dir/observability/targets.jq" >"$here/targets.new"; then
      mv "$here/targets.new" "$here/targets.json"
    fi
    sleep 2
  done
}

# All end with this script, by stop_jobs.
start_prometheus() {
  targets 2>"$here/targets.log" &
  "$cache/parts/kube-state-metrics/kube-state-metrics" --kubeconfig="$private/kubeconfig" --resources=pods,deployments --namespaces="$namespace,golive" \
    --host=127.0.0.1 --port="${kube_state_metrics#*:}" --telemetry-host=127.0.0.1 --telemetry-port=29092 >"$here/kube-state-metrics.log" 2>&1 &
  "$cache/bin/prometheus" --config.file="$here/prometheus.yml" --storage.tsdb.path="$here/data" --web.listen-address="$prometheus" \
    --enable-feature=exemplar-storage --log.level=warn >"$here/prometheus.log" 2>&1 &
  prometheus_pid=$!
}

# Each target answers, and there is one of each kind.
scraped() {
  curl -sf --max-time 5 "http://$prometheus/api/v1/targets?state=active" | jq -e --arg jobs "$1" '[.data.activeTargets[]]
    | all(.[]; .health == "up") and (($jobs | split(" ")) - [.[].labels.job] == [])'
}
