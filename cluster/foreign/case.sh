# Sourced after gate.sh by the scripts that take services that were not made for the gate: a case of validator/tests/foreign/cases
# in a namespace of its own.
# shellcheck shell=bash disable=SC2154

foreign=$repo_dir/validator/tests/foreign
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$repo_dir/Cargo.toml" | head -1)

# The image of all cases, in the cluster.
load_foreign() {
  run "$cluster_dir/foreign/build.sh"
  run "$cluster_dir/load.sh" "golive/foreign:$version"
}

objects() { # CASE
  timeout 30 "$cache/bin/kubectl" kustomize "$foreign/cases/$1" | sed "s#image: golive/foreign\$#&:$version#; s#service.version=1.0.0#service.version=$version#"
}

install_foreign() { # CASE
  objects "$1" | kubectl_ -n "$namespace" apply -f -
  local each
  for each in $(kubectl_ -n "$namespace" get deployments -o name); do
    # Not kubectl_: three replicas that take 40 s each need longer than a minute.
    timeout 420 "$cache/bin/kubectl" --kubeconfig "$kubeconfig" --context "$context" -n "$namespace" rollout status "$each" --timeout 400s
  done
}

# The names of its objects say the namespace that kind-foreign.sh gives it.
install_elsewhere() {
  sed "s/foreign-elsewhere/$namespace/" "$foreign/cases/elsewhere/objects.yaml" | kubectl_ apply -f -
  # shellcheck disable=SC2119 # nothing differs from the good build
  install_users
}

# prepare_case CASE: its namespace, account and objects. `namespace` is the case's.
prepare_case() {
  timeout 180 "$cache/bin/kubectl" --kubeconfig "$kubeconfig" --context "$context" delete namespace "$namespace" --ignore-not-found
  kubectl_ create namespace "$namespace"
  account "$namespace" demo
  if [[ $1 == elsewhere ]]; then install_elsewhere; else install_foreign "$1"; fi
}

remove_case() { # CASE
  if [[ $1 == elsewhere ]]; then kubectl_ -n demo delete service postgres-headless --ignore-not-found; fi
  kubectl_ -n demo delete rolebinding "golive-dependencies-$namespace" --ignore-not-found
  kubectl_ delete clusterrolebinding "golive-nodes-$namespace" --ignore-not-found
  kubectl_ delete namespace "$namespace" --ignore-not-found --wait=false
  rm -f "$(account_config "$namespace")"
}
