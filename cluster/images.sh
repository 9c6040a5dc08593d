#!/usr/bin/env bash
# Supplies third-party images to the Docker engine, pulled where a registry answers, else built under the same names.
# Usage: images.sh node|postgres|redis|jaeger...   (all of them without arguments)
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

image_of() {
  case $1 in
    node) echo "$node_image" ;;
    postgres) echo "$postgres_image" ;;
    redis) echo "$redis_image" ;;
    jaeger) echo "$jaeger_image" ;;
    *) die "no such image: $1" "one of node postgres redis jaeger" ;;
  esac
}

# recipe_of NAME: changes with everything the built image is made of.
recipe_of() {
  local go=$cluster_dir/go
  case $1 in
    node) digest_of "$cluster_dir"/node/* "$go"/{kubernetes,etcd,coredns,kind}/go.{mod,sum} "$cluster_dir/rootfs.sh" ;;
    jaeger) digest_of "$go"/jaeger/go.{mod,sum} ;;
    *) digest_of "$cluster_dir"/backends/* "$cluster_dir/rootfs.sh" ;;
  esac
}

# present IMAGE RECIPE: an image without our label was pulled or made by somebody else, and is taken as it is.
present() {
  local label
  label=$(docker image inspect -f '{{index .Config.Labels "golive.recipe"}}' "$1" 2>/dev/null) || return 1
  [[ -z $label || $label == "$2" ]]
}

# registry_answers: one small pull, asked once a run. GOLIVE_REGISTRY=yes|no skips the question.
registry_answers() {
  if [[ -z ${GOLIVE_REGISTRY:-} ]]; then
    GOLIVE_REGISTRY=no
    timeout 8 docker pull -q hello-world:linux >/dev/null 2>&1 && GOLIVE_REGISTRY=yes
    export GOLIVE_REGISTRY
    if [[ $GOLIVE_REGISTRY == no ]]; then say "no registry answers: images are built here"; fi
  fi
  [[ $GOLIVE_REGISTRY == yes ]]
}

pull() { timeout 900 docker pull -q "$1"; }

build_node() {
  local modules=$cluster_dir/modules.sh next='see that a Debian mirror and the Go module proxy answer, then run this again'
  step "root file system of the nodes" "$next" "$cluster_dir/rootfs.sh" node &
  local rootfs=$!
  step "Kubernetes $kubernetes_version from Go modules" "$next" "$modules" kubernetes \
    kube-apiserver kube-controller-manager kube-scheduler kube-proxy kubelet kubeadm kubectl
  step "CoreDNS from Go modules" "$next" "$modules" coredns
  step "etcd from Go modules" "$next" "$modules" etcd
  wait "$rootfs"
  step "assemble $node_image" "remove the image golive/node-rootfs:bookworm and run this again" "$cluster_dir/node/build.sh" "$1"
}

build_backend() { # NAME RECIPE
  step "root file system of the backends" "see that a Debian mirror answers, then run this again" "$cluster_dir/rootfs.sh" backends
  step "assemble $(image_of "$1")" "remove the image golive/backends-rootfs:bookworm and run this again" \
    "$cluster_dir/backends/build.sh" "$(image_of "$1")" "$2"
}

build_jaeger() {
  step "Jaeger from Go modules" "see that the Go module proxy answers, then run this again" "$cluster_dir/modules.sh" jaeger
  step "assemble $jaeger_image" "read the log above" import_jaeger "$1"
}

# The path and the user are those of the published image.
import_jaeger() {
  local root
  root=$(mktemp -d "$cache/jaeger.XXXXXX")
  install -D -m 0755 "$cache/parts/jaeger/jaeger" "$root/go/bin/all-in-one-linux"
  mkdir -m 1777 "$root/tmp"
  tar -C "$root" --owner=0 --group=0 -c . | timeout 300 docker import --change 'USER 10001' \
    --change 'ENTRYPOINT ["/go/bin/all-in-one-linux"]' --change "LABEL golive.recipe=$1" - "$jaeger_image"
  rm -rf "$root"
}

supply() {
  local name=$1 image recipe
  image=$(image_of "$name")
  recipe=$(recipe_of "$name")
  one_at_a_time "image-$name"
  if present "$image" "$recipe"; then return; fi
  if registry_answers && step "pull $image" "set GOLIVE_REGISTRY=no to build it instead" pull "$image"; then return; fi
  case $name in
    node) build_node "$recipe" ;;
    jaeger) build_jaeger "$recipe" ;;
    *) build_backend "$name" "$recipe" ;;
  esac
  # What the new image replaced has no name any more.
  timeout 60 docker image prune -f --filter label=golive.recipe >/dev/null
}

trap stop_jobs EXIT
if (($# == 0)); then set -- node postgres redis jaeger; fi
for name; do supply "$name"; done
