#!/usr/bin/env bash
# The main job, from nothing: cluster, images, charts, then the gate on the good build and on the bare one.
# Fails if a verdict is not the expected one, for the expected reasons.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

namespace=demo
out=${GOLIVE_OUT:-$repo_dir/golive-out}
validator=${CARGO_TARGET_DIR:-$repo_dir/target}/images/validator/validator

helm_() { "$cluster_dir/helm" "$@"; }

install_backends() {
  helm_ upgrade --install backends "$repo_dir/charts/backends" -n "$namespace" --create-namespace --wait --timeout 3m
}

# The same chart twice: users asks orders for the orders of a user.
install_users() {
  helm_ upgrade --install orders "$repo_dir/charts/service" -n "$namespace" -f "$repo_dir/charts/service/values-demo.yaml" \
    --set fullnameOverride=orders --set replicas=1 --set demo.seedUsers=0 --wait --timeout 4m
  helm_ upgrade --install users "$repo_dir/charts/service" -n "$namespace" -f "$repo_dir/charts/service/values-demo.yaml" \
    --set fullnameOverride=users --set orders.url=http://orders:8080 --wait --timeout 4m
  helm_ test users -n "$namespace" --timeout 2m
}

install_bare() {
  helm_ upgrade --install users-bare "$repo_dir/charts/service" -n "$namespace" -f "$repo_dir/charts/service/values-demo.yaml" \
    -f "$repo_dir/charts/service/values-bare.yaml" --set fullnameOverride=users-bare --wait --timeout 4m
}

uninstall() { # RELEASE
  helm_ uninstall "$1" -n "$namespace" --wait --timeout 2m --ignore-not-found
}

# gate NAME TARGET-FILE EXPECTED-EXIT: prints the report and keeps it beside its evidence.
gate() {
  local rc=0
  say "the gate on the $1 build (about 4 min)"
  KUBECONFIG=$kubeconfig timeout 1200 "$validator" run --context "$context" -f "$2" --timeout 10m \
    --evidence "$out/$1.evidence.zst" --report "json=$out/$1.json" --report "terminal=$out/$1.txt" || rc=$?
  ((rc == $3)) || die "the gate on the $1 build ended with $rc, expected $3" "read the report above; evidence: $out/$1.evidence.zst"
  "$validator" judge "$out/$1.evidence.zst" >"$out/$1.again.txt" || true
  cmp "$out/$1.txt" "$out/$1.again.txt" || die "judge says something else than run" "diff $out/$1.txt $out/$1.again.txt"
}

# expect NAME JQ-EXPRESSION MEANING
expect() {
  jq -e "$2" "$out/$1.json" >/dev/null || die "$1 build: expected: $3" "jq . $out/$1.json"
  printf '    as expected, %s build: %s\n' "$1" "$3"
}

main() {
  trap stop_jobs EXIT
  trap 'exit 130' INT TERM
  mkdir -p "$out"
  # The compiler and the image supply share the machine; neither waits for the other.
  run "$cluster_dir/build.sh" binaries &
  local binaries=$!
  run "$cluster_dir/up.sh"
  wait "$binaries" || die "the binaries were not built" "read the error above"
  run "$cluster_dir/build.sh" images

  step "install the backends" "cluster/kubectl -n $namespace describe pods" install_backends
  step "install users and orders" "cluster/kubectl -n $namespace describe pods" install_users
  gate good "$repo_dir/golive.yaml" 3
  expect good '[.checks[] | select(.area != "breaker" and .outcome != "pass")] == []' \
    "every check of tracing, health, shutdown, release and run passes"
  expect good '[.checks[] | select(.area == "breaker" and .severity == "blocker") | .outcome] | unique == ["inconclusive"]' \
    "the breaker is not measured yet, and the verdict says so"
  step "uninstall users" "cluster/helm -n $namespace list" uninstall users

  step "install the bare build" "cluster/kubectl -n $namespace describe pods" install_bare
  gate bare "$repo_dir/cluster/bare.golive.yaml" 1
  local area
  for area in tracing health shutdown; do
    expect bare ".areas[] | select(.area == \"$area\") | .outcome == \"fail\"" "$area fails"
  done
  expect bare '[.checks[] | select(.id == "GL-S202") | .details[] | select(test("exit 137"))] != []' \
    "its containers are killed at the end of the grace period (137)"
  step "uninstall the bare build" "cluster/helm -n $namespace list" uninstall users-bare
  say "kind-test passed in $SECONDS s; reports and evidence: golive-out/"
}

main "$@"
