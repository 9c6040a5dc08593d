#!/usr/bin/env bash
# Removes the cluster, gives the host its sysctls back and stops the engine that up.sh started: down.sh [--keep-engine]
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=cluster/engine.sh
source "$cluster_dir/engine.sh"

case ${1:-} in
  '') keep=no ;;
  --keep-engine) keep=yes ;;
  *) die "unknown argument $1" "down.sh [--keep-engine]" ;;
esac

delete_cluster() { timeout 180 "$cache/bin/kind" delete cluster --name "$cluster" --kubeconfig "$kubeconfig"; }

if engine_answers && [[ -n $(docker ps -aq --filter "label=io.x-k8s.kind.cluster=$cluster") ]]; then
  step "delete the cluster" "docker rm -f -v \$(docker ps -aq --filter label=io.x-k8s.kind.cluster=$cluster)" delete_cluster
fi
if ! engine_answers; then say "no Docker engine answers; a cluster in its store would come back with it"; fi
rm -f "$kubeconfig"
sysctl_restore
if [[ $keep == no ]]; then engine_down; fi
say "the cluster $cluster is down"
