#!/usr/bin/env bash
# Brings up the cluster from whatever is there: engine, tools, images, kind, backends' images. Safe to repeat.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=cluster/engine.sh
source "$cluster_dir/engine.sh"

nodes_wanted=3
# Exists while a cluster is being made: one that was interrupted is not worth waiting for.
unfinished=$cache/run/cluster.unfinished

cluster_exists() { timeout 20 "$cache/bin/kind" get clusters 2>/dev/null | grep -x "$cluster" >/dev/null; }

nodes_ready() {
  [[ $(kubectl_ get nodes -o 'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}' | grep -c True) -eq $nodes_wanted ]]
}

dns_ready() { kubectl_ -n kube-system rollout status deployment/coredns --timeout=1s; }

# Right after a restart the API still tells what was true before it: only a lease renewed since then counts.
leases_renewed() {
  local renewed fresh=0
  while read -r renewed; do
    if (($(date -d "$renewed" +%s) >= engine_started)); then fresh=$((fresh + 1)); fi
  done < <(kubectl_ -n kube-node-lease get leases -o 'jsonpath={range .items[*]}{.spec.renewTime}{"\n"}{end}')
  ((fresh >= nodes_wanted))
}

recovered() { nodes_ready && leases_renewed && dns_ready; }

# A cluster whose engine was stopped comes back by itself; one that does not is replaced.
cluster_usable() {
  if [[ -e $unfinished ]] || ! cluster_exists; then return 1; fi
  "$cluster_dir/tools.sh" kubectl
  timeout 30 "$cache/bin/kind" export kubeconfig --name "$cluster" --kubeconfig "$kubeconfig" >/dev/null 2>&1 || return 1
  if ((!engine_started)) && nodes_ready 2>/dev/null; then return; fi
  step "wait for the existing cluster" "nothing: it is replaced now" await 120 recovered
}

create_cluster() {
  touch "$unfinished"
  timeout 120 "$cache/bin/kind" delete cluster --name "$cluster" --kubeconfig "$kubeconfig"
  timeout 420 "$cache/bin/kind" create cluster --name "$cluster" --kubeconfig "$kubeconfig" \
    --config "$repo_dir/kind-config.yaml" --image "$node_image" --wait 0s
}

supply_backends() { # helm builds here too: nothing before the cluster needs it
  "$cluster_dir/tools.sh" helm
  "$cluster_dir/images.sh" postgres redis jaeger
}

main() {
  trap stop_jobs EXIT
  trap 'exit 130' INT TERM
  engine_up
  # Not before: the engine would inherit the lock, and it outlives us.
  one_at_a_time up
  run "$cluster_dir/tools.sh" kind
  local usable=no
  if cluster_usable; then usable=yes; else run "$cluster_dir/images.sh" node; fi
  # kubectl is a by-product of the node image, where that was built.
  run "$cluster_dir/tools.sh" kubectl

  supply_backends &
  local supply=$!
  if [[ $usable == no ]]; then
    step "create the cluster" "docker ps -a, free memory; then run this again" create_cluster
    step "nodes ready" "cluster/kubectl describe nodes" await 120 nodes_ready
    step "cluster DNS" "cluster/kubectl -n kube-system describe pods" await 120 dns_ready
    rm -f "$unfinished"
  fi
  wait "$supply" || die "helm or an image of the backends is missing" "read the error above, then run this again"
  run "$cluster_dir/load.sh" "${backend_images[@]}"
  say "the cluster $cluster is up ($SECONDS s); use cluster/kubectl, or: . cluster/env.sh"
}

main
