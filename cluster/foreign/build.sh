#!/usr/bin/env bash
# Makes the image of the foreign cases: Debian's Node and Python, the services of validator/tests/foreign/service and their
# packages, fetched by the host's npm and pip. Does nothing where it is up to date.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"

service=$repo_dir/validator/tests/foreign/service
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$repo_dir/Cargo.toml" | head -1)
image=golive/foreign:$version
stage=$cache/parts/foreign

packages() {
  cd "$stage"
  timeout 300 npm ci --omit=dev --ignore-scripts --no-audit --no-fund
  # For the image's Python, whatever the host's is.
  timeout 300 pip install --quiet --target python --python-version 3.11 --platform manylinux2014_x86_64 --only-binary=:all: \
    --no-deps --require-hashes -r requirements.txt
}

build() { # RECIPE
  DOCKER_BUILDKIT=0 timeout 300 docker build --pull=false -t "$image" -f - "$stage" <<DOCKERFILE
FROM golive/foreign-rootfs:bookworm
LABEL golive.recipe=$1
ENV PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 PYTHONPATH=/app/python PYTHONDONTWRITEBYTECODE=1
COPY . /app
WORKDIR /app
USER 65532:65532
CMD ["node", "service.js"]
DOCKERFILE
}

# Each knob does what its case says: in the image itself, as its user, without a network. An image that fails is not kept.
try() {
  timeout 300 docker run --rm --network none "$image" node --test && return
  docker image rm "$image"
  return 1
}

main() {
  local recipe next='see that npm, pip and a Debian mirror answer, then run this again'
  type npm pip >/dev/null 2>&1 || die "npm and pip are needed for the foreign services" "install them"
  recipe=$(digest_of "$service"/*.{js,py,json,txt} "$cluster_dir/rootfs.sh" "$cluster_dir"/foreign/*)
  one_at_a_time foreign
  [[ $(docker image inspect -f '{{index .Config.Labels "golive.recipe"}}' "$image" 2>/dev/null) == "$recipe" ]] && return
  step "root file system of the foreign services" "$next" "$cluster_dir/rootfs.sh" foreign
  rm -rf "$stage"
  mkdir -p "$stage"
  cp "$service"/*.{js,py,json,txt} "$stage"
  step "packages of the foreign services" "$next" packages
  step "assemble $image" "remove the image golive/foreign-rootfs:bookworm and run this again" build "$recipe"
  step "the knobs of the foreign services" "docker run --rm $image node --test" try
}

trap stop_jobs EXIT
main
