# Sourced after lib.sh by the scripts that gate builds: installs the charts, runs the gate, says what it expects of it.
# shellcheck shell=bash disable=SC2154

namespace=demo
out=${GOLIVE_OUT:-$repo_dir/golive-out}
validator=${CARGO_TARGET_DIR:-$repo_dir/target}/images/validator/validator

# The validator as its own account: "${validate[@]}" SECONDS COMMAND...
validate=(env "KUBECONFIG=$cache/run/validator-$namespace.kubeconfig" timeout)

helm_() { "$cluster_dir/helm" "$@"; }

install_backends() {
  helm_ upgrade --install backends "$repo_dir/charts/backends" -n "$namespace" --create-namespace --wait --timeout 3m
}

# The same chart twice: users asks orders for the orders of a user. Arguments are helm's, for users alone.
install_users() {
  helm_ upgrade --install orders "$repo_dir/charts/service" -n "$namespace" -f "$repo_dir/charts/service/values-demo.yaml" \
    --set fullnameOverride=orders --set replicas=1 --set demo.seedUsers=0 --wait --timeout 4m
  helm_ upgrade --install users "$repo_dir/charts/service" -n "$namespace" -f "$repo_dir/charts/service/values-demo.yaml" \
    --set fullnameOverride=users --set orders.url=http://orders:8080 "$@" --wait --timeout 4m
  helm_ test users -n "$namespace" --timeout 2m
}

install_bare() {
  helm_ upgrade --install users-bare "$repo_dir/charts/service" -n "$namespace" -f "$repo_dir/charts/service/values-demo.yaml" \
    -f "$repo_dir/charts/service/values-bare.yaml" --set fullnameOverride=users-bare --wait --timeout 4m
}

uninstall() { # RELEASE
  helm_ uninstall "$1" -n "$namespace" --wait --timeout 2m --ignore-not-found
}

# ours: what is there of a run, a line each: objects, pods that are led to an agent (the mark in each alias of ours), and
# deployments with our note on the way back.
ours() {
  kubectl_ -n "$namespace" get pods,deployments,services,leases,serviceaccounts,roles,rolebindings -l golive.dev/run -o name
  kubectl_ -n "$namespace" get lease golive-validator --ignore-not-found -o name
  kubectl_ -n "$namespace" get deployments -o json | jq -r '.items[]
    | (select(.metadata.annotations["golive.dev/rollback-to"]) | "deployment/\(.metadata.name) with golive.dev/rollback-to"),
      (select([.spec.template.spec.hostAliases[]?.hostnames[]?] | index("agent.golive.invalid")) | "deployment/\(.metadata.name) with our aliases")'
}

nothing_ours() {
  local found
  found=$(ours) && [[ -z $found ]]
}

# left_over: what a run that has ended left in the namespace; pods may need a moment to end.
left_over() { await 30 nothing_ours || ours; }

# Ends with the checks that did not pass, and keeps them in a file: the report is not at the end of a long log.
refuse() { # NAME WHAT NEXT
  local format='"\(.id) \(.outcome): \(.summary)", (([.cases[]?.text] + [.struck[]? | "struck: \(.text) (\(.by))"] + (.details // []))[:6][] | "    \(.)")'
  jq -r ".checks[] | select(.outcome | IN(\"pass\", \"skipped\") | not) | $format" "$out/$1.json" | tee "$out/$1.why.txt" || true
  die "$2" "$3"
}

# account NAMESPACE [NAMESPACE-OF-DEPENDENCIES...]: an account with the Role that `validator rbac` prints and nothing else in
# its namespace; beside it, what docs/permissions.md calls optional: Services of dependencies elsewhere, and nodes.
# Writes a kubeconfig that knows no other account.
account() {
  local namespace=$1 other config kubectl=(kubectl_ -n "$1")
  shift
  config=$(account_config "$namespace")
  "${kubectl[@]}" apply -f - <<<"$(bound_to_itself)"
  "$validator" rbac | "${kubectl[@]}" apply -f -
  # By the server: two cases at once would both find no Role and create it.
  for other; do reads_services "$namespace" | kubectl_ -n "$other" apply --server-side -f -; done
  reads_nodes "$namespace" | kubectl_ apply --server-side -f -
  # Not readable by others from its first byte on.
  (umask 077 && cp "$kubeconfig" "$config.new")
  local token user
  token=$("${kubectl[@]}" create token golive-validator --duration=8h)
  user=$(kubectl_ config view -o "jsonpath={.contexts[?(@.name==\"$context\")].context.user}")
  local edit=(timeout 20 "$cache/bin/kubectl" --kubeconfig "$config.new" config)
  "${edit[@]}" set-credentials golive-validator --token="$token"
  "${edit[@]}" set-context "$context" --user=golive-validator
  "${edit[@]}" delete-user "$user"
  mv "$config.new" "$config"
}

account_config() { echo "$cache/run/validator-$1.kubeconfig"; }

bound_to_itself() {
  cat <<YAML
apiVersion: v1
kind: ServiceAccount
metadata: { name: golive-validator }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: golive-validator }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: golive-validator }
subjects: [{ kind: ServiceAccount, name: golive-validator }]
YAML
}

reads_services() { # NAMESPACE
  cat <<YAML
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: { name: golive-dependencies }
rules:
  - { apiGroups: [""], resources: [services], verbs: [get] }
  - { apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [list] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: { name: golive-dependencies-$1 }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: Role, name: golive-dependencies }
subjects: [{ kind: ServiceAccount, name: golive-validator, namespace: $1 }]
YAML
}

reads_nodes() { # NAMESPACE
  cat <<YAML
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: { name: golive-nodes }
rules:
  - { apiGroups: [""], resources: [nodes], verbs: [list] }
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: { name: golive-nodes-$1 }
roleRef: { apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: golive-nodes }
subjects: [{ kind: ServiceAccount, name: golive-validator, namespace: $1 }]
YAML
}

# in_lane NUMBER COMMAND...: starts a lane of its own, its number before each line it says; `$!` is its process.
in_lane() {
  local number=$1
  shift
  "$@" > >(sed -u "s/^/[$number] /") 2>&1 &
}

# all_ended PID...: waits for each; fails if one has failed.
all_ended() {
  local pid failed=0
  for pid; do wait "$pid" || failed=1; done
  return "$failed"
}

# gate NAME TARGET-FILE EXPECTED-EXIT: prints the report and keeps it beside its evidence. An inconclusive run says nothing
# of the build (a machine with other work does not keep the load's rate, for one): it is done once more.
gate() {
  local rc=0
  rm -f "$out/$1.inconclusive.txt"
  run_gate "$1" "$2" || rc=$?
  if ((rc == 3 && rc != $3)) && [[ -f $out/$1.json ]]; then
    cp "$out/$1.txt" "$out/$1.inconclusive.txt"
    say "the gate on the $1 build was inconclusive ($out/$1.inconclusive.txt): once more"
    rc=0
    run_gate "$1" "$2" || rc=$?
  fi
  ((rc == $3)) || refuse "$1" "the gate on the $1 build ended with $rc, expected $3" "the checks above did not pass; evidence: $out/$1.evidence.zst"
  "$validator" judge "$out/$1.evidence.zst" >"$out/$1.again.txt" || true
  cmp "$out/$1.txt" "$out/$1.again.txt" || die "judge says something else than run" "diff $out/$1.txt $out/$1.again.txt"
}

run_gate() { # NAME TARGET-FILE
  rm -f "$out/$1.json" "$out/$1.txt" "$out/$1.why.txt"
  say "the gate on $1"
  # In the background, so that a signal to this script reaches it at once.
  run "${validate[@]}" 1500 "$validator" run --context "$context" -n "$namespace" -f "$2" --timeout 20m \
    --evidence "$out/$1.evidence.zst" --report "json=$out/$1.json" --report "terminal=$out/$1.txt"
}

# expect NAME JQ-EXPRESSION MEANING
expect() {
  jq -e "$2" "$out/$1.json" >/dev/null || refuse "$1" "$1 build: expected: $3" "jq . $out/$1.json"
  printf '    as expected, %s build: %s\n' "$1" "$3"
}

# expect_good NAME: a verdict that lets the build stay. A machine with other work may leave a check of the run itself open; one
# whose answers are slow at times leaves no room in a pool for slowness that clients notice, say: two checks of degraded
# dependencies, or minor ones, may then be open. None may fail.
expect_good() {
  expect "$1" '(.verdict | IN("GO", "GO-WITH-WARNINGS")) and .passing == 4' "GO, 4/4"
  expect "$1" '[.checks[] | select(.area != "run" and (.outcome | IN("pass", "skipped") | not))]
      | length <= 2 and all(.outcome == "inconclusive" and (.severity == "minor" or (.id | test("^GL-B2(1[2-9]|20)$"))))' \
    "every check of tracing, health, shutdown, breaker and release passes, but for two that may be open"
}

# The gate cannot run before the cluster is up and the images are in it. The compiler and the image supply share the
# machine; neither waits for the other.
prepare() {
  prepare_cluster
  prepare_namespace
}

prepare_cluster() {
  run "$cluster_dir/build.sh" binaries &
  local binaries=$!
  run "$cluster_dir/up.sh"
  wait "$binaries" || die "the binaries were not built" "read the error above"
  run "$cluster_dir/build.sh" images
}

prepare_namespace() {
  mkdir -p "$out"
  step "install the backends in $namespace" "cluster/kubectl -n $namespace describe pods" install_backends
  step "an account for the validator in $namespace" "cluster/kubectl -n $namespace get roles,rolebindings" account "$namespace"
}
