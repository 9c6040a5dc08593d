#!/usr/bin/env bash
# Loads images from the Docker engine onto the cluster's nodes, in one call, those that are there excepted: load.sh IMAGE...
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

(($#)) || die "usage: load.sh IMAGE..." "name at least one image of the Docker engine"

nodes() { timeout 20 docker ps -q --filter "label=io.x-k8s.kind.cluster=$cluster"; }

# reference IMAGE: the name containerd knows it by.
reference() {
  case $1 in
    *.*/* | localhost/*) echo "$1" ;;
    */*) echo "docker.io/$1" ;;
    *) echo "docker.io/library/$1" ;;
  esac
}

# The image's id is kept as a label of its name on the node. A load by other means replaces name and label.
loaded() { # NODE IMAGE ID
  grep -q "^$(reference "$2") .*golive.id=$3" <<<"${known[$1]}"
}

mark() { # IMAGE ID
  local node
  for node in $(nodes); do
    timeout 30 docker exec "$node" ctr -n k8s.io images label "$(reference "$1")" "golive.id=$2" >/dev/null
  done
}

declare -A known ids
for node in $(nodes); do known[$node]=$(timeout 30 docker exec "$node" ctr -n k8s.io images ls); done
((${#known[@]})) || die "the cluster $cluster has no running node" "cluster/up.sh"

missing=()
for image; do
  ids[$image]=$(docker image inspect -f '{{.Id}}' "$image" 2>/dev/null | tr -d ':') || true
  [[ -n ${ids[$image]} ]] || die "the Docker engine has no image $image" "build it, or cluster/images.sh for third-party ones"
  for node in "${!known[@]}"; do
    if ! loaded "$node" "$image" "${ids[$image]}"; then
      missing+=("$image")
      break
    fi
  done
done
((${#missing[@]})) || exit 0

trap stop_jobs EXIT
step "load ${missing[*]}" "see that the nodes have disk space: docker exec golive-worker df -h /var" \
  timeout 600 "$cache/bin/kind" load docker-image --name "$cluster" "${missing[@]}"
for image in "${missing[@]}"; do mark "$image" "${ids[$image]}"; done
