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

# An authority, and a certificate of it for the webhook.
certificate() {
  tls=$out/admission
  rm -rf "$tls" && mkdir -p "$tls"
  local key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)
  printf 'subjectAltName=DNS:golive-admission.golive.svc\nbasicConstraints=CA:FALSE\n' >"$tls/names"
  openssl req -x509 "${key[@]}" -keyout "$tls/ca.key" -out "$tls/ca.pem" -days 2 -subj /CN=golive-admission
  openssl req "${key[@]}" -keyout "$tls/tls.key" -out "$tls/tls.csr" -subj /CN=golive-admission
  openssl x509 -req -in "$tls/tls.csr" -CA "$tls/ca.pem" -CAkey "$tls/ca.key" -CAcreateserial -days 2 -extfile "$tls/names" -out "$tls/tls.crt"
}

install_admission() {
  certificate
  kubectl_ -n golive create secret tls golive-admission-tls --cert="$tls/tls.crt" --key="$tls/tls.key" --dry-run=client -o yaml | kubectl_ apply -f -
  helm_ upgrade golive "$repo_dir/charts/validator" -n golive --reuse-values --set admission.enabled=true --set-file admission.caBundle="$tls/ca.pem" --wait --timeout 3m
}

# Deployments that came in unasked, as the API server counts them.
fail_open_count() {
  kubectl_ get --raw /metrics | awk '/^apiserver_admission_webhook_fail_open_count.*[.]admission[.]golive[.]dev/ { sum += $NF } END { print sum + 0 }'
}

# close_namespace NAME: what comes in there needs a GO.
close_namespace() {
  kubectl_ create namespace "$1"
  kubectl_ label namespace "$1" golive.dev/require=go
}

# Nobody has proved it.
unknown_image=users@sha256:$(printf '0%.0s' {1..64})

# Without pods: who comes in is asked, and not whether it runs.
bring() { # NAMESPACE NAME IMAGE [ARGUMENTS OF KUBECTL...]
  kubectl_ -n "$1" create deployment "$2" --image="$3" --replicas=0 "${@:4}"
}

# break_glass NAMESPACE REASON: a deployment "glass" of an image that nobody proved.
break_glass() {
  bring "$1" glass "$unknown_image" --dry-run=client -o json |
    jq --arg reason "$2" '.metadata.annotations["golive.dev/break-glass"] = $reason' | kubectl_ apply -f -
}

# without_admission NAMESPACE [SECONDS]: nobody answers for the webhook for so long, and everything comes in.
without_admission() {
  kubectl_ -n golive scale deployment golive-admission --replicas=0
  kubectl_ -n golive wait --for=delete pod -l app.kubernetes.io/name=golive-admission --timeout=50s
  await 30 bring "$1" away golive/users:0.1.0
  # What the alert AdmissionFailedOpen asks.
  (($(fail_open_count) > 0))
  sleep "${2:-0}"
  kubectl_ -n golive scale deployment golive-admission --replicas=2
  kubectl_ -n golive rollout status deployment golive-admission --timeout=50s
}
