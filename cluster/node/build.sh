#!/usr/bin/env bash
# Assembles kindest/node from Debian and Go modules: what `kind build node-image` does, without its base image.
# Usage: node/build.sh RECIPE (a label that tells when the image is out of date)
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

recipe=${1:?usage: node/build.sh RECIPE}
builder=golive-node-build
parts=$cache/parts
work=$(mktemp -d "$cache/node.XXXXXX")
trap 'rm -rf "$work"; docker rm -f "$builder" >/dev/null 2>&1 || true' EXIT

registry=registry.k8s.io
etcd_image=$registry/etcd:3.6.5-0 # the tags which kubeadm of this version asks for
coredns_image=$registry/coredns/coredns:v1.12.1
components=(kube-apiserver kube-controller-manager kube-scheduler)
images=("$registry/kube-proxy:$kubernetes_version" "$etcd_image" "$coredns_image" "$registry/pause:3.10" "$registry/pause:3.10.1")
for component in "${components[@]}"; do images+=("$registry/$component:$kubernetes_version"); done

in_builder() { timeout 300 docker exec -i "$builder" "$@"; }

# import TAG ENTRYPOINT: a tar on standard input becomes an image. kubeadm calls components by bare name, hence PATH.
import() {
  timeout 300 docker import --change 'ENV PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change "ENTRYPOINT [\"$2\"]" - "$1"
}

# scratch TAG BINARY PATH: an image of that one file.
scratch() {
  local root=$work/scratch
  rm -rf "$root"
  mkdir -p "$root/tmp"
  install -D -m 0755 "$2" "$root$3"
  tar -C "$root" --owner=0 --group=0 -c . | import "$1" "$3"
}

component_images() {
  local component
  for component in "${components[@]}"; do
    scratch "$registry/$component:$kubernetes_version" "$parts/kubernetes/$component" "/usr/local/bin/$component"
  done
  scratch "$etcd_image" "$parts/etcd/etcd" /usr/local/bin/etcd
  scratch "$coredns_image" "$parts/coredns/coredns" /coredns
  apt_install gcc libc6-dev
  gcc -Os -static -s -o "$work/pause" "$cluster_dir/node/pause.c"
  scratch "$registry/pause:3.10" "$work/pause" /pause
  docker tag "$registry/pause:3.10" "$registry/pause:3.10.1"
}

proxy_image() {
  local root=$work/proxy
  mkdir -p "$root"
  in_builder bash -s <"$cluster_dir/node/closure.sh" | tar -C "$root" -x
  install -D -m 0755 "$parts/kubernetes/kube-proxy" "$root/usr/local/bin/kube-proxy"
  tar -C "$root" --owner=0 --group=0 -c . | import "$registry/kube-proxy:$kubernetes_version" /usr/local/bin/kube-proxy
}

# The module cache is read-only and drops the executable bits.
kind_files() {
  local kind
  kind=$(cd "$cluster_dir/go/kind" && export GOFLAGS=-mod=readonly &&
    timeout 300 go mod download sigs.k8s.io/kind && go list -m -f '{{.Dir}}' sigs.k8s.io/kind)
  cp -r "$kind/images/base/files/." "$work/overlay"
  find "$work/overlay" -type d -exec chmod 0755 {} +
  find "$work/overlay" -type f -exec chmod 0644 {} +
  chmod 0755 "$work"/overlay/kind/bin/*.sh "$work"/overlay/usr/local/bin/*
  sed -i 's#/usr/local/bin/containerd$#/usr/bin/containerd#' "$work/overlay/etc/systemd/system/containerd.service"
  # Without CAP_SYS_RESOURCE the sandboxes' scores cannot be lowered; with it nothing is lost.
  sed -i 's/restrict_oom_score_adj = false/restrict_oom_score_adj = true/' "$work/overlay/etc/containerd/config.toml"
}

overlay() {
  mkdir -p "$work/overlay/usr/bin"
  kind_files
  install -m 0755 -t "$work/overlay/usr/bin" "$parts"/kubernetes/{kubeadm,kubelet,kubectl}
  printf %s "$kubernetes_version" >"$work/overlay/kind/version"
  mkdir -p "$work/overlay/kind/manifests"
  sed "s/KUBERNETES_VERSION/$kubernetes_version/" "$cluster_dir/node/default-cni.yaml" >"$work/overlay/kind/manifests/default-cni.yaml"
  install -m 0755 "$cluster_dir/node/cni.sh" "$work/overlay/kind/bin/golive-cni.sh"
  tar -C "$work/overlay" --owner=0 --group=0 -c . | in_builder tar -C / -x
}

# Into containerd's content store, packed: the nodes unpack what they run.
preload() {
  docker exec -d "$builder" containerd
  await 30 docker exec "$builder" ctr version
  timeout 300 docker save "${images[@]}" | in_builder ctr -n k8s.io images import --all-platforms --no-unpack --digests -
  in_builder sh -c 'pkill -x containerd; while pgrep -x containerd >/dev/null; do sleep 0.1; done; rm -rf /run/containerd/*'
}

docker rm -f "$builder" >/dev/null 2>&1 || true
docker run -d --name "$builder" --privileged --stop-signal SIGRTMIN+3 --entrypoint sleep golive/node-rootfs:bookworm infinity
component_images
proxy_image
overlay
in_builder bash -s <"$cluster_dir/node/setup.sh"
preload
timeout 300 docker commit --change 'ENV container=docker' --change 'ENTRYPOINT ["/usr/local/bin/entrypoint", "/sbin/init"]' \
  --change 'CMD []' --change "LABEL golive.recipe=$recipe" "$builder" "$node_image"
# The node image holds its own copies.
docker rmi -f "${images[@]}" >/dev/null
