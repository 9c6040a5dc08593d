#!/usr/bin/env bash
# `validator init` on deployments that were not made for it: the file that it writes must be accepted by `validator plan`
# without an edit, by an account with the Role that `validator rbac` prints. Usage: kind-init.sh [CASE...].
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=cluster/gate.sh
source "$cluster_dir/gate.sh"
# shellcheck source=cluster/foreign/case.sh
source "$cluster_dir/foreign/case.sh"
out=$out/init

# By default: Node with a database, Python behind a hook, a pod of two containers, and our own chart with its stores elsewhere.
cases=(memory-page exit-143 proxy-hop elsewhere)

# deployment CASE: what is gated of the case.
deployment() { if [[ $1 == elsewhere ]]; then echo users; else echo foreign; fi; }

init_case() { # CASE
  local namespace=init-$1 validate file=$out/$1.yaml
  validate=(env "KUBECONFIG=$(account_config "$namespace")" timeout 60 "$validator")
  prepare_case "$1"
  "${validate[@]}" init "deployment/$(deployment "$1")" --context "$context" -n "$namespace" --output "$file" --force >"$out/$1.txt" ||
    die "$1: init wrote no file" "$out/$1.txt"
  "${validate[@]}" plan -f "$file" --context "$context" >"$out/$1.plan.txt" || die "$1: plan does not accept what init wrote" "$file"
  remove_case "$1"
}

main() {
  trap stop_jobs EXIT
  trap 'exit 130' INT TERM
  (($# == 0)) || cases=("$@")
  local name
  for name in "${cases[@]}"; do [[ -d $foreign/cases/$name ]] || die "no such case: $name" "one of: $(cd "$foreign/cases" && echo *)"; done
  prepare
  mkdir -p "$out"
  load_foreign
  for name in "${cases[@]}"; do
    step "init and plan on $name" "cluster/kubectl -n init-$name describe pods" init_case "$name"
    sed 's/^/    /' "$out/$name.txt"
  done
  say "init wrote ${#cases[@]} files that plan accepts, in $SECONDS s; they are in $out"
}

main "$@"
