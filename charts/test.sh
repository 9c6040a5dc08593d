#!/usr/bin/env bash
# Renders the charts and checks what they promise. Needs no cluster. Last line: "N passed, N failed".
set -euo pipefail
charts=$(cd "$(dirname "$0")" && pwd)
# shellcheck source=cluster/lib.sh
source "$charts/../cluster/lib.sh"
# shellcheck source=charts/alerts/test.sh
source "$charts/alerts/test.sh"

passed=0 failed=0 rendered=''

# render CHART ARGUMENT...: the objects as one JSON array in $rendered.
render() {
  local chart=$1
  shift
  rendered=$(timeout 60 "$cache/bin/helm" template users "$charts/$chart" --namespace demo "$@" | as_json)
}

as_json() { "$python" -c 'import json, sys, yaml; json.dump([d for d in yaml.safe_load_all(sys.stdin) if d], sys.stdout)'; }

find_python() {
  local candidate
  for candidate in python3 /usr/bin/python3; do
    if "$candidate" -c 'import yaml' 2>/dev/null; then echo "$candidate" && return; fi
  done
  apt_install python3 python3-yaml >&2 && echo /usr/bin/python3
}

pass() { passed=$((passed + 1)) && printf 'ok    %s\n' "$1"; }
fail() { failed=$((failed + 1)) && printf 'FAIL  %s\n      %s\n' "$1" "$2"; }

# Shortcuts for jq: every object by kind, or by kind and name.
jq_prelude='
  def all($kind): map(select(.kind == $kind));
  def one($kind): all($kind) | if length == 1 then .[0] else error("\(length) objects of kind \($kind)") end;
  def named($kind; $name): map(select(.kind == $kind and .metadata.name == $name)) | if length == 1 then .[0] else error("\(length) of \($kind)/\($name)") end;
  def deployment: one("Deployment");
  def pod: deployment.spec.template.spec;
  def container: pod.containers[0];
  def env($name): [container.env[] | select(.name == $name)] | if length == 1 then .[0] else error("\(length) of variable \($name)") end;
  def has_env($name): any(container.env[]; .name == $name);
  def service: one("Service");
'

# it SENTENCE JQ: holds when the expression is true of $rendered.
it() {
  local answer
  answer=$(jq -c "$jq_prelude $2" <<<"$rendered" 2>&1) || true
  if [[ $answer == true ]]; then pass "$1"; else fail "$1" "$2 => ${answer:0:200}"; fi
}

# rejects SENTENCE CHART ARGUMENT...: holds when the schema, and nothing else, refuses the values.
rejects() {
  local sentence=$1 chart=$2 output
  shift 2
  if output=$(timeout 60 "$cache/bin/helm" template users "$charts/$chart" "$@" 2>&1); then
    fail "$sentence" "helm accepted $*"
  elif [[ $output != *"don't meet the specifications of the schema"* ]]; then
    fail "$sentence" "refused for another reason: ${output:0:200}"
  else
    pass "$sentence"
  fi
}

lints() {
  local chart=$1 output
  shift
  if output=$(timeout 60 "$cache/bin/helm" lint --strict "$charts/$chart" "$@" 2>&1); then
    pass "$chart lints${2:+ with ${2##*/}}"
  else
    fail "$chart lints" "$output"
  fi
}

# render_notes CHART: the lines of NOTES.txt as a JSON array in $rendered. Only an install prints them, and that
# wants a cluster; so a copy of the chart carries them in an object.
render_notes() {
  local copy=$scratch/$1
  cp -r "$charts/$1" "$scratch/"
  mv "$copy/templates/NOTES.txt" "$copy/notes.txt"
  printf 'notes: |\n{{ tpl (.Files.Get "notes.txt") . | indent 2 }}\n' >"$copy/templates/notes.yaml"
  rendered=$(timeout 60 "$cache/bin/helm" template users "$copy" --namespace demo --show-only templates/notes.yaml | as_json |
    jq '.[0].notes | split("\n") | map(select(. != ""))')
}

# documented CHART: every value has its row in the README and every row its value.
documented() {
  local chart=$1 difference
  difference=$(diff <(leaves "$chart" | sort) <(sed -n 's/^| `\([a-zA-Z._]*\)` |.*/\1/p' "$charts/$chart/README.md" | sort)) || true
  if [[ -z $difference ]]; then pass "$chart/README.md lists exactly the values that exist"; else fail "$chart/README.md lists exactly the values that exist" "$difference"; fi
}

# Paths of the values; resources and security contexts count as one each, as in the README.
leaves() {
  as_json <"$charts/$1/values.yaml" | jq -r '.[0]
    | def walk_($path): if type == "object" and length > 0 and ($path | test("esources$|ecurityContext$") | not)
        then to_entries[] | .key as $key | .value | walk_(if $path == "" then $key else "\($path).\($key)" end) else $path end;
      walk_("")'
}

# described CHART: the schema knows every value, closes every object and describes every property.
described() {
  local chart=$1 open missing
  open=$(jq -c '[(select(.additionalProperties != false) | "the root"), paths(type == "object" and .type == "object" and has("properties") and .additionalProperties != false)]' "$charts/$chart/values.schema.json")
  missing=$(jq -c '[paths as $p | select(($p | length) > 1 and $p[-2] == "properties" and (getpath($p) | has("description") | not)) | $p[-1]]' "$charts/$chart/values.schema.json")
  if [[ $open == '[]' ]]; then pass "$chart: the schema closes every object"; else fail "$chart: the schema closes every object" "$open"; fi
  if [[ $missing == '[]' ]]; then pass "$chart: the schema describes every value"; else fail "$chart: the schema describes every value" "$missing"; fi
}

service_defaults() {
  render service
  it 'three replicas' 'deployment.spec.replicas == 3'
  it 'objects are named after the release' 'all(.[] | select(.kind != "Pod"); .metadata.name == "users")'
  it 'everything is in the namespace of the release' 'all(.[]; .metadata.namespace == "demo")'
  it 'a roll takes no pod before its replacement is there' 'deployment.spec.strategy == {type: "RollingUpdate", rollingUpdate: {maxUnavailable: 0, maxSurge: 1}}'
  it 'a new pod must stay ready longer than the nodes take to learn of it' 'deployment.spec.minReadySeconds >= 2'
  it 'a stuck roll fails within minutes' 'deployment.spec.progressDeadlineSeconds == 180'
  it 'old revisions are kept, a few' 'deployment.spec.revisionHistoryLimit == 5'
  it 'the grace period is 30 s' 'pod.terminationGracePeriodSeconds == 30'
  it 'the selector selects the pods' 'deployment | .spec.selector.matchLabels as $s | .spec.template.metadata.labels | . + $s == .'
  it 'the selector holds only labels that never change' 'deployment.spec.selector.matchLabels | keys == ["app.kubernetes.io/instance", "app.kubernetes.io/name"]'
  it 'every object carries the recommended labels' 'all(.[] | select(.kind != "Pod"); .metadata.labels | [has("app.kubernetes.io/name", "app.kubernetes.io/instance", "app.kubernetes.io/version", "app.kubernetes.io/component", "app.kubernetes.io/part-of", "app.kubernetes.io/managed-by")] | all)'
  it 'a new chart version alone rolls no pod' 'deployment.spec.template.metadata.labels | has("helm.sh/chart") | not'

  it 'the image defaults to the appVersion' 'container.image == "golive/users:0.1.0"'
  it 'an image on the node is used' 'container.imagePullPolicy == "IfNotPresent"'
  it 'traffic is on 8080, management on 8081' '[container.ports[] | {(.name): .containerPort}] | add == {http: 8080, management: 8081}'
  it 'the Service is an internal one that selects the pods' 'deployment.spec.selector.matchLabels as $s | service.spec | .type == "ClusterIP" and .selector == $s'
  it 'the Service exposes http and not the management port' 'service.spec.ports | length == 1 and .[0].port == 8080 and .[0].name == "http" and .[0].targetPort == "http"'

  it 'liveness asks /health on the management port' 'container.livenessProbe.httpGet == {path: "/health", port: "management"}'
  it 'liveness: from 5 s, every 10 s, 3 failures' 'container.livenessProbe | .initialDelaySeconds == 5 and .periodSeconds == 10 and .failureThreshold == 3 and .timeoutSeconds <= 2'
  it 'readiness asks /ready on the port of the users' 'container.readinessProbe.httpGet == {path: "/ready", port: "http"}'
  it 'readiness: from 10 s, every 5 s, 2 failures' 'container.readinessProbe | .initialDelaySeconds == 10 and .periodSeconds == 5 and .failureThreshold == 2 and .timeoutSeconds <= 2'
  it 'start-up asks /health on the management port' 'container.startupProbe.httpGet == {path: "/health", port: "management"}'
  it 'start-up: every 1 to 2 s, 30 failures' 'container.startupProbe | .periodSeconds <= 2 and .failureThreshold == 30'

  it 'pods do not run as root' 'pod.securityContext | .runAsNonRoot and .runAsUser == 65532'
  it 'system calls are filtered' 'pod.securityContext.seccompProfile.type == "RuntimeDefault"'
  it 'the root file system is read-only' 'container.securityContext.readOnlyRootFilesystem'
  it 'every capability is dropped' 'container.securityContext.capabilities == {drop: ["ALL"]}'
  it 'privileges cannot grow' 'container.securityContext.allowPrivilegeEscalation == false'
  it 'no API token is mounted' 'pod.automountServiceAccountToken == false and one("ServiceAccount").automountServiceAccountToken == false'
  it 'the pods run under the ServiceAccount that the chart creates' 'pod.serviceAccountName == one("ServiceAccount").metadata.name'
  it 'requests are set' 'container.resources.requests == {cpu: "100m", memory: "64Mi"}'
  it 'memory is limited, the CPU is not' 'container.resources.limits == {memory: "128Mi"}'

  it 'pods prefer to spread over the nodes, each revision by itself' 'deployment.spec.selector.matchLabels as $s | pod.topologySpreadConstraints == [{maxSkew: 1, topologyKey: "kubernetes.io/hostname", whenUnsatisfiable: "ScheduleAnyway", nodeTaintsPolicy: "Honor", matchLabelKeys: ["pod-template-hash"], labelSelector: {matchLabels: $s}}]'
  it 'a drain takes one pod at a time' 'deployment.spec.selector.matchLabels as $s | one("PodDisruptionBudget").spec | .maxUnavailable == 1 and .selector.matchLabels == $s'
  it 'a pod that is not ready holds no drain up' 'one("PodDisruptionBudget").spec.unhealthyPodEvictionPolicy == "AlwaysAllow"'
  it 'nothing else is created' 'map(.kind) | sort == ["Deployment", "Pod", "PodDisruptionBudget", "Service", "ServiceAccount"]'
}

service_environment() {
  render service
  it 'DATABASE_URL comes from a Secret that must exist' 'env("DATABASE_URL").valueFrom.secretKeyRef == {name: "users-database", key: "DATABASE_URL"}'
  it 'REDIS_URL comes from the same Secret, which may lack it' 'env("REDIS_URL").valueFrom.secretKeyRef == {name: "users-database", key: "REDIS_URL", optional: true}'
  it 'ports, readiness and sampling are said explicitly' '[env("PORT", "MANAGEMENT_PORT", "READINESS_POSTGRES", "READINESS_REDIS", "SAMPLE_RATIO", "SEED_USERS", "LOG_LEVEL").value] == ["8080", "8081", "required", "required", "0.01", "0", "info"]'
  it 'the longest heads on all connections take a quarter of the memory' '(env("MAX_CONNECTIONS").value | tonumber) * 32 == (container.resources.limits.memory | rtrimstr("Mi") | tonumber) * 1024 / 4'
  it 'the service name is that of the Deployment' 'env("OTEL_SERVICE_NAME").value == deployment.metadata.name'
  it 'without an endpoint there is no OTEL_ENDPOINT' 'has_env("OTEL_ENDPOINT") | not'
  it 'without an orders service there is no ORDERS_URL' 'has_env("ORDERS_URL") | not'
  it 'pod, namespace and node come by the downward API' '[env("POD_NAME", "POD_NAMESPACE", "NODE_NAME").valueFrom.fieldRef.fieldPath] == ["metadata.name", "metadata.namespace", "spec.nodeName"]'
  it 'every variable is a string or a reference' 'all(container.env[]; (.value | type == "string") or has("valueFrom"))'
  it 'no variable appears twice' 'container.env | map(.name) | length == (unique | length)'

  render service --set database.existingSecret=pg,database.key=url,redis.existingSecret=cache,redis.key=url,redis.optional=false \
    --set otel.endpoint=http://c:4318/v1/traces,orders.url=http://orders,readiness.postgres=optional,otel.sampleRatio=0.05,demo.seedUsers=1000000,logLevel=debug,maxConnections=1000000
  it 'Secrets and their keys can be named' '[env("DATABASE_URL", "REDIS_URL").valueFrom.secretKeyRef] == [{name: "pg", key: "url"}, {name: "cache", key: "url", optional: false}]'
  it 'settings reach their variables' '[env("OTEL_ENDPOINT", "ORDERS_URL", "READINESS_POSTGRES", "SAMPLE_RATIO", "SEED_USERS", "LOG_LEVEL", "MAX_CONNECTIONS").value] == ["http://c:4318/v1/traces", "http://orders", "optional", "0.05", "1000000", "debug", "1000000"]'

  render service --set 'extraEnv[0].name=FLAW,extraEnv[0].value=bare'
  it 'further variables are appended' 'container.env[-1] == {name: "FLAW", value: "bare"}'
}

service_options() {
  render service --set replicas=1
  it 'a single replica has no disruption budget' 'all("PodDisruptionBudget") == []'
  render service --set replicas=2
  it 'two replicas have one' 'all("PodDisruptionBudget") | length == 1'
  render service --set podDisruptionBudget.enabled=false
  it 'the disruption budget can be left out' 'all("PodDisruptionBudget") == []'

  render service --set probes.enabled=false
  it 'probes can be left out together' '[container | has("livenessProbe", "readinessProbe", "startupProbe")] | any | not'
  local probe
  for probe in liveness readiness startup; do
    render service --set probes.$probe.enabled=false
    it "the $probe probe can be left out alone" "[container | keys[] | select(endswith(\"Probe\"))] == ([\"livenessProbe\", \"readinessProbe\", \"startupProbe\"] - [\"${probe}Probe\"])"
    render service --set probes.$probe.periodSeconds=7,probes.$probe.timeoutSeconds=3,probes.$probe.failureThreshold=9,probes.$probe.initialDelaySeconds=4,probes.$probe.path=/x
    it "the $probe probe can be tuned" "container.${probe}Probe | .periodSeconds == 7 and .timeoutSeconds == 3 and .failureThreshold == 9 and .initialDelaySeconds == 4 and .httpGet.path == \"/x\""
  done

  render service --set image.repository=r/u,image.tag=v1.3.0,image.pullPolicy=Always
  it 'the image can be named' 'container.image == "r/u:v1.3.0" and container.imagePullPolicy == "Always"'
  it 'the service reports the image tag as its version, and so does the label' 'env("SERVICE_VERSION").value == "v1.3.0" and all(deployment | .metadata, .spec.template.metadata; .labels["app.kubernetes.io/version"] == "v1.3.0")'
  render service --set fullnameOverride=other
  it 'the name can be overridden, the service name follows' 'env("OTEL_SERVICE_NAME").value == "other" and all(.[] | select(.kind != "Pod"); .metadata.name == "other")'
  render service --set service.port=9000,managementPort=9001
  it 'ports change everywhere together' '[env("PORT", "MANAGEMENT_PORT").value] == ["9000", "9001"] and service.spec.ports[0].port == 9000 and ([container.ports[].containerPort] == [9000, 9001]) and (one("Pod").spec.containers[0].command[2] | contains(":9000/"))'
  render service --set topologySpread.whenUnsatisfiable=DoNotSchedule,topologySpread.maxSkew=2
  it 'the spread can insist' 'pod.topologySpreadConstraints[0] | .whenUnsatisfiable == "DoNotSchedule" and .maxSkew == 2'
  render service --set topologySpread.enabled=false
  it 'the spread can be left out' 'pod | has("topologySpreadConstraints") | not'
  render service --set serviceAccount.create=false
  it 'without a ServiceAccount of its own the default one is used' 'all("ServiceAccount") == [] and pod.serviceAccountName == "default"'
  render service --set rollout.maxSurge=50%,rollout.maxUnavailable=1,rollout.minReadySeconds=0,terminationGracePeriodSeconds=60
  it 'the roll can be tuned' 'deployment.spec | .strategy.rollingUpdate == {maxSurge: "50%", maxUnavailable: 1} and .minReadySeconds == 0 and .template.spec.terminationGracePeriodSeconds == 60'
}

service_test_and_notes() {
  render service
  it 'helm test probes /ready through the Service with the image itself' 'one("Pod") | .metadata.annotations["helm.sh/hook"] == "test" and .spec.containers[0].command == ["/users", "probe", "http://users:8080/ready"]'
  it 'the test pod ends by itself' 'one("Pod").spec | .restartPolicy == "Never" and .activeDeadlineSeconds > 0'
  it 'the Service does not send users to the test pod' 'service.spec.selector as $s | one("Pod").metadata.labels | . + $s != .'
  it 'the test pod is as locked in as the others' 'one("Pod").spec | .securityContext.runAsNonRoot and .automountServiceAccountToken == false and .containers[0].securityContext.readOnlyRootFilesystem'
  render_notes service
  it 'the notes end in the command that gates the deployment' '.[-1] | ltrimstr("  ") == "validator run deployment/users -n demo --get '"'/api/users/{1..1000}'"'"'
}

service_variants() {
  render service -f "$charts/service/values-demo.yaml"
  it 'demo: three replicas, a thousand users' 'deployment.spec.replicas == 3 and env("SEED_USERS").value == "1000"'
  it 'demo: traces go to the demo collector' 'env("OTEL_ENDPOINT").value == "http://jaeger-collector:4318/v1/traces"'
  it 'demo: Redis is required' 'env("REDIS_URL").valueFrom.secretKeyRef.optional == false'
  render service -f "$charts/service/values-demo.yaml" -f "$charts/service/values-bare.yaml"
  it 'bare: no probe' '[container | has("livenessProbe", "readinessProbe", "startupProbe")] | any | not'
  it 'bare: no disruption budget' 'all("PodDisruptionBudget") == []'
  it 'bare: the flawed build with its flaw' 'container.image == "golive/users-flawed:0.1.0" and env("FLAW").value == "bare"'
}

service_schema() {
  rejects 'an unknown value is refused' service --set replicaCount=3
  local section
  for section in image database redis readiness otel orders demo service probes probes.liveness probes.readiness probes.startup rollout resources \
    resources.requests resources.limits podDisruptionBudget autoscaling networkPolicy monitoring monitoring.serviceMonitor monitoring.rules monitoring.dashboard topologySpread serviceAccount podSecurityContext securityContext securityContext.capabilities affinity; do
    rejects "an unknown value below $section is refused" service --set "$section.typo=1"
  done
  rejects 'an unknown field of a variable is refused' service --set 'extraEnv[0].name=A,extraEnv[0].valeu=b'
  rejects 'a wrong type is refused' service --set-string replicas=three
  rejects 'a pool without connections is refused' service --set database.maxConnections=0
  rejects 'no connection at all is refused' service --set maxConnections=0
  rejects 'an unknown readiness is refused' service --set readiness.redis=lenient
  rejects 'a sampling ratio above one is refused' service --set otel.sampleRatio=1.5
  rejects 'an endpoint that is no URL is refused' service --set otel.endpoint=jaeger:4318
  rejects 'a probe on an unknown port is refused' service --set probes.liveness.port=https
  rejects 'a Secret without a name is refused' service --set database.existingSecret=
}

backends() {
  render backends
  it 'Postgres, Redis and Jaeger, one each' 'all("Deployment") | map([.metadata.name, .spec.replicas]) | sort == [["jaeger", 1], ["postgres", 1], ["redis", 1]]'
  it 'Services have fixed names and ports' '[all("Service")[] | {(.metadata.name): [.spec.ports[].port]}] | add == {"postgres": [5432], "redis": [6379], "jaeger-collector": [4317, 4318], "jaeger-query": [16686]}'
  it 'each Service selects the pods of exactly one backend' 'all("Deployment") as $d | all(all("Service")[]; .spec.selector as $s | [$d[] | select(.spec.template.metadata.labels | . + $s == .)] | length == 1)'
  it 'every target port is a port of the pods' 'all("Deployment") as $d | all(all("Service")[]; .spec as $s | $d[] | select(.spec.template.metadata.labels | . + $s.selector == .) | [.spec.template.spec.containers[0].ports[].name] as $names | all($s.ports[]; .targetPort as $t | $names | index($t)))'
  it 'the Secret holds both URLs for the service' 'named("Secret"; "users-database").stringData == {DATABASE_URL: "postgres://users:users@postgres:5432/users", REDIS_URL: "redis://redis:6379"}'
  it 'images are the well-known ones' '[all("Deployment")[].spec.template.spec.containers[0].image] | sort == ["jaegertracing/all-in-one:1.76.0", "postgres:15", "redis:7.0"]'
  it 'Postgres gets its user, its database and a password from a Secret' '[named("Deployment"; "postgres").spec.template.spec.containers[0].env[] | {(.name): (.value // .valueFrom.secretKeyRef.key)}] | add | .POSTGRES_USER == "users" and .POSTGRES_DB == "users" and .POSTGRES_PASSWORD == "POSTGRES_PASSWORD"'
  it 'PGDATA lies below an emptyDir mount' 'named("Deployment"; "postgres").spec.template.spec | (.containers[0].env[] | select(.name == "PGDATA").value) as $data | (.containers[0].volumeMounts[] | select(.name == "data").mountPath) as $mount | ($data | startswith($mount + "/")) and any(.volumes[]; .name == "data" and has("emptyDir"))'
  it 'Postgres takes at least 100 connections' 'named("Deployment"; "postgres").spec.template.spec.containers[0].args | map(select(startswith("max_connections="))[16:] | tonumber) == [200]'
  it 'OTLP listens on every address' 'named("Deployment"; "jaeger").spec.template.spec.containers[0].args | index("--collector.otlp.http.host-port=0.0.0.0:4318") != null and index("--collector.otlp.grpc.host-port=0.0.0.0:4317") != null'
  it 'Jaeger keeps a bounded number of traces' 'named("Deployment"; "jaeger").spec.template.spec.containers[0].args | index("--memory.max-traces=50000") != null'
  it 'every backend is probed and its memory limited' 'all(all("Deployment")[].spec.template.spec.containers[]; has("readinessProbe") and has("startupProbe") and .resources.limits.memory != null)'
  it 'no backend runs as root or writes its root' 'all(all("Deployment")[].spec.template.spec; .securityContext.runAsNonRoot and .securityContext.runAsUser > 0 and .containers[0].securityContext.readOnlyRootFilesystem and .containers[0].securityContext.capabilities.drop == ["ALL"])'
  it 'no backend mounts an API token' 'all(all("Deployment")[]; .spec.template.spec.automountServiceAccountToken == false)'
  render backends --set jaeger.enabled=false
  it 'Jaeger can be left out' 'map(.metadata.name) | any(startswith("jaeger")) | not'
  render backends --set postgres.username=app,postgres.password=pw,postgres.database=data
  it 'credentials agree everywhere' 'named("Secret"; "users-database").stringData.DATABASE_URL == "postgres://app:pw@postgres:5432/data" and named("Secret"; "postgres").stringData.POSTGRES_PASSWORD == "pw"'

  local section
  rejects 'backends: an unknown value is refused' backends --set typo=1
  for section in postgres redis jaeger secret postgres.resources redis.resources.limits jaeger.resources.requests; do
    rejects "backends: an unknown value below $section is refused" backends --set "$section.typo=1"
  done
  rejects 'backends: fewer than 100 connections are refused' backends --set postgres.maxConnections=50
  rejects 'backends: a password that would need quoting in a URL is refused' backends --set 'postgres.password=a@b'
  rejects 'backends: an image without a tag is refused' backends --set postgres.image=postgres
  render_notes backends
  it 'the notes say that this is not for production' 'any(test("NOT FOR PRODUCTION"))'
}

scratch=$(mktemp -d)
finished=no

# The operator and the rights of its runs.
validator() {
  render validator --set 'watch={demo,shop}'
  it 'the operator watches the namespaces it was given' '[container.args[] | select(startswith("--namespace="))] == ["--namespace=demo", "--namespace=shop"]'
  it 'each of them has the rights of the operator and of a run' '[all("Role")[] | "\(.metadata.namespace)/\(.metadata.name)"] | sort == ["demo/golive-operator", "demo/golive-operator-leader", "demo/golive-validator", "shop/golive-operator", "shop/golive-validator"]'
  it 'the operator may have its own Lease, and no other one' 'one("Deployment").metadata.namespace as $n | named("Role"; "golive-operator-leader") | .metadata.namespace == $n and .rules == [{apiGroups: ["coordination.k8s.io"], resources: ["leases"], verbs: ["create"]}, {apiGroups: ["coordination.k8s.io"], resources: ["leases"], resourceNames: ["golive-operator"], verbs: ["get", "patch"]}]'
  it 'the one right that reaches further is to read policies' '[all("ClusterRole")[].rules[]] == [{apiGroups: ["golive.dev"], resources: ["golivepolicies"], verbs: ["get"]}]'
  it 'the operator can neither read a Secret nor change a Service' '[all("Role")[] | select(.metadata.name == "golive-operator") | .rules[].resources[]] | unique | (index("secrets") or index("services")) | not'
  it 'the operator runs as nobody and writes nothing' 'pod.securityContext.runAsNonRoot and container.securityContext.readOnlyRootFilesystem and (container.securityContext.allowPrivilegeEscalation | not)'
  it 'the operator sends no traces without a collector' 'has_env("OTEL_ENDPOINT") | not'
  it 'the webhook is there for those who ask for it' '[.[] | select(.metadata.name | startswith("golive-admission"))] == []'
  render validator --set 'watch={demo}' --set otel.endpoint=http://c:4318/v1/traces
  it 'the operator sends its traces where it is told' 'env("OTEL_ENDPOINT").value == "http://c:4318/v1/traces"'
  rejects 'a chart that watches nothing is refused' validator
  rejects 'a collector without a scheme is refused' validator --set 'watch={demo}' --set otel.endpoint=c:4318
}

# The webhook, its rights and its alerts.
admission() {
  local given=(--namespace golive --set 'watch={demo}' --set 'admission.enabled=true' --set 'admission.caBundle=authority')
  local all=(--set 'admission.exempt={mesh/*}' --set monitoring.rules.enabled=true --set monitoring.podMonitor.enabled=true)
  render validator "${given[@]}" "${all[@]}"
  it 'each word of the label has its webhook, and they fail open' 'one("ValidatingWebhookConfiguration").webhooks | map([.namespaceSelector.matchLabels["golive.dev/require"], .clientConfig.service.path, .failurePolicy]) == [["go", "/go", "Ignore"], ["warn", "/warn", "Ignore"], ["audit", "/audit", "Ignore"]]'
  it 'deployments are asked about when they come and when they change' 'all(one("ValidatingWebhookConfiguration").webhooks[]; .rules == [{apiGroups: ["apps"], apiVersions: ["v1"], resources: ["deployments"], operations: ["CREATE", "UPDATE"], scope: "Namespaced"}] and .sideEffects == "NoneOnDryRun")'
  it 'the API server knows the authority and finds the Service' 'one("ValidatingWebhookConfiguration").webhooks[0].clientConfig | (.caBundle | @base64d) == "authority" and .service.name == "golive-admission" and .service.namespace == "golive"'
  it 'the Service leads to the port of the webhook' 'named("Deployment"; "golive-admission").spec.template as $t | one("Service").spec | .selector as $s | ($t.metadata.labels | . + $s == .) and .ports[0].targetPort == "https" and any($t.spec.containers[0].ports[]; .name == "https" and .containerPort == 8443)'
  it 'its own namespace is never asked about' 'one("ValidatingWebhookConfiguration").webhooks | map(.namespaceSelector.matchExpressions) | unique == [[{key: "kubernetes.io/metadata.name", operator: "NotIn", values: ["golive"]}]]'
  it 'its flags are what was given' 'named("Deployment"; "golive-admission").spec.template.spec.containers[0].args == ["admission", "--certificate=/tls", "--policy=default", "--namespace=demo", "--exempt=mesh/*"]'
  it 'it reads no Secret, lists no ConfigMap and changes nothing' '[.[] | select(.kind == "Role" or .kind == "ClusterRole") | select(.metadata.name | startswith("golive-admission")) | .rules[] | "\(.resources | join(",")) \(.verbs | join(","))"] | sort == ["configmaps get", "events create", "golivepolicies get", "goliveruns list,watch"]'
  it 'a PodMonitor finds the pods of each, by a port that they have' 'all(("golive-operator", "golive-admission") as $name | {d: named("Deployment"; $name).spec.template, m: named("PodMonitor"; $name).spec}; (.m.selector.matchLabels as $s | .d.metadata.labels | . + $s == .) and (.m.podMetricsEndpoints[0].port as $p | any(.d.spec.containers[0].ports[]; .name == $p)))'
  alert_units validator validator.yaml
  metric_names validator
  render validator "${given[@]}" --set admission.certManager.enabled=true --set admission.certManager.issuerRef.name=ours
  it 'cert-manager makes the Secret and brings the authority' 'one("Certificate").spec as $c | $c.dnsNames == ["golive-admission.golive.svc"] and $c.secretName == "golive-admission-tls" and (one("ValidatingWebhookConfiguration") | .metadata.annotations["cert-manager.io/inject-ca-from"] == "golive/golive-admission" and (.webhooks[0].clientConfig | has("caBundle") | not))'
  render validator "${given[@]}" --set admission.failurePolicy=Fail
  it 'only a namespace that denies denies when nobody answers' '[one("ValidatingWebhookConfiguration").webhooks[] | [(.name | split(".")[0]), .failurePolicy]] == [["go", "Fail"], ["warn", "Ignore"], ["audit", "Ignore"]]'
  rejects 'an unknown failure policy is refused' validator "${given[@]}" --set admission.failurePolicy=Open
}

# The gate without the operator.
plain_job() {
  local given=(--set 'watch={demo,shop}' --set job.enabled=true --set-file "job.target=$charts/../golive.yaml") documented
  documented=$(as_json <"$charts/../docs/pipelines/job.yaml" | jq -c 'map(select(.kind == "Job"))[0].spec')
  render validator "${given[@]}"
  it 'the Job is that of docs/pipelines' "(one(\"Job\").spec | del(.template.spec.containers[0].imagePullPolicy)) == $documented"
  it 'it reads the target that was given' 'named("ConfigMap"; "golive-target") as $c | one("Job") as $j | $c.metadata.namespace == $j.metadata.namespace and ($c.data["golive.yaml"] | contains("kind: GoLiveCheck"))'
  it 'its account has the rights of a run where it runs' 'one("Job") as $j | any(all("RoleBinding")[]; .metadata.namespace == $j.metadata.namespace and .roleRef.name == "golive-validator" and any(.subjects[]; .name == $j.spec.template.spec.serviceAccountName and .namespace == $j.metadata.namespace))'
  render validator "${given[@]}" --set job.namespace=shop
  it 'it runs in the namespace that was named' 'one("Job").metadata.namespace == "shop"'
  render validator --set 'watch={demo}'
  it 'the Job is there for those who ask for it' 'all("Job") == [] and all("ConfigMap") == []'
  rejects 'a Job without a target is refused' validator --set 'watch={demo}' --set job.enabled=true
}

# What we install passes the look that we ask of others.
passes_lint() {
  local output binary=${CARGO_TARGET_DIR:-$charts/../target}/debug/validator
  if [[ ! -x $binary ]]; then (cd "$charts/.." && timeout 3600 cargo build --locked -p golive-validator --bins >&2); fi
  if output=$(timeout 60 "$cache/bin/helm" template golive "$charts/validator" --namespace golive --set 'watch={demo}' --set admission.enabled=true --set admission.caBundle=authority |
    timeout 60 "$binary" lint - --name charts/validator --policy "$charts/validator/lint-policy.yaml" 2>&1); then
    pass 'operator and webhook pass validator lint'
  else
    fail 'operator and webhook pass validator lint' "$output"
  fi
  if [[ $output != *"unused"* ]]; then pass 'each waiver of lint-policy.yaml is needed'; else fail 'each waiver of lint-policy.yaml is needed' "$output"; fi
}

# Any service, by the conventions.
observability() {
  render observability
  it 'one collector, whose Service leads to its ports' 'deployment as $d | service.spec as $s | $d.spec.replicas == 1 and ($d.spec.template.metadata.labels | . + $s.selector == .) and all($s.ports[]; .targetPort as $t | any($d.spec.template.spec.containers[0].ports[]; .name == $t)) and [$s.ports[].port] == [4317, 4318]'
  it 'it runs as nobody and writes nothing' 'pod.securityContext.runAsNonRoot and container.securityContext.readOnlyRootFilesystem'
  it 'the image is of the version that was run' "container.image | endswith(\":$(sed -n 's/.*tailsamplingprocessor v//p' "$cluster_dir/go/collector/go.mod")\")"
  it 'the dashboard is JSON, and has each pillar' 'named("ConfigMap"; "golive-pillars-dashboard").data["pillars.json"] | fromjson | [.panels[].title] | tostring as $all | all("Health", "Shutdown", "Breaker", "Tracing"; . as $pillar | $all | contains($pillar))'
  it 'nothing of the templates is left in the rules' 'one("PrometheusRule") | tojson | test("BUDGET\\b|RUNBOOKS") | not'
  it 'every alert says how grave it is, what it means and where to read on' 'all(one("PrometheusRule").spec.groups[].rules[] | select(.alert); (.labels.severity | IN("critical", "warning", "info")) and (.annotations | has("summary", "description", "runbook_url")))'
  alert_units observability observability.yaml
  queries observability pillars.json
  metric_names observability "$charts/observability/dashboards/pillars.json"
  collector_config
  render observability --set collector.maxTraces=1000000 --set slo.availability=99
  it 'the promise is the limit of the alerts' 'one("PrometheusRule").spec.groups[0].rules[] | select(.alert == "ErrorBudgetBurnsFast").expr | contains("14.4 * 0.010000")'
  it 'a large number of traces stays a number' 'named("ConfigMap"; "otel-collector").data["config.yaml"] | contains("num_traces: 1000000")'
  rejects 'observability: an unknown value is refused' observability --set collector.typo=1
  rejects 'observability: an endpoint with a scheme is refused' observability --set collector.endpoint=http://jaeger:4317
}

# The configuration as the collector would read it: what it names is there, and nothing is kept by chance that must be kept.
collector_config() {
  rendered=$(jq -r 'map(select(.kind == "ConfigMap" and .metadata.name == "otel-collector"))[0].data["config.yaml"]' <<<"$rendered" | as_json)
  it 'every part of the pipeline is defined' '.[0] as $c | $c.service.pipelines.traces | all(.receivers[]; . as $p | $c.receivers | has($p)) and all(.processors[]; . as $p | $c.processors | has($p)) and all(.exporters[]; . as $p | $c.exporters | has($p))'
  it 'memory is looked after first, and traces are whole before they are decided' '.[0].service.pipelines.traces.processors == ["memory_limiter", "tail_sampling", "batch"]'
  it 'its own counters end in _total, as the rules ask for them' '.[0].service.telemetry.metrics.readers[0].pull.exporter.prometheus.without_type_suffix == false'
  it 'errors and slow requests are kept, and a share of the others' '.[0].processors.tail_sampling.policies == [{name: "errors", type: "status_code", status_code: {status_codes: ["ERROR"]}}, {name: "slow", type: "latency", latency: {threshold_ms: 500}}, {name: "others", type: "probabilistic", probabilistic: {sampling_percentage: 5}}]'
}

# The last line counts also when a command in between fails: an unfinished run is a failed one.
finish() {
  rm -rf "$scratch"
  if [[ $finished == no ]]; then fail 'the tests run to their end' 'see the error above'; fi
  printf '%d passed, %d failed\n' "$passed" "$failed"
  if ((failed)); then exit 1; fi
}
trap finish EXIT

"$cluster_dir/tools.sh" helm
command -v jq >/dev/null || apt_install jq
python=$(find_python)

lints service
lints service -f "$charts/service/values-demo.yaml"
lints service -f "$charts/service/values-bare.yaml"
lints backends
lints validator --set 'watch={demo}'
lints observability
for chart in service backends observability; do
  described "$chart"
  documented "$chart"
done
service_defaults
service_environment
service_options
service_test_and_notes
service_variants
service_schema
alerts
autoscaling_and_policy
backends
validator
admission
plain_job
passes_lint
observability
alert_pages

finished=yes
