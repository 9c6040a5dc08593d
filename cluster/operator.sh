# Sourced after gate.sh by the scripts that install the operator.
# shellcheck shell=bash disable=SC2154

check() { kubectl_ -n "$namespace" get golivecheck "$1" -o jsonpath="$2"; }
condition() { check "$1" "{.status.conditions[?(@.type==\"$2\")].reason}"; }

# The operator's only pod.
operator_pod() { kubectl_ -n golive get pods -l app.kubernetes.io/name=golive-operator -o jsonpath='{.items[0].metadata.name}'; }

# What a pod of the chart tells of itself at its management port.
metrics_of() { kubectl_ get --raw "/api/v1/namespaces/golive/pods/$1:8081/proxy/metrics"; } # POD

# The CRDs by themselves: helm installs those of a chart once and never changes them. By force, since their fields are helm's until then.
install_operator() {
  kubectl_ apply --server-side --force-conflicts -f "$repo_dir/charts/validator/crds"
  helm_ upgrade --install golive "$repo_dir/charts/validator" -n golive --create-namespace --set "watch={$namespace}" --wait --timeout 3m
}

uninstall_operator() { helm_ uninstall golive -n golive --wait --timeout 2m; }
