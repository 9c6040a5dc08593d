#!/usr/bin/env bash
# Builds our own images: build.sh binaries | images. The binaries are static, so that an image is FROM scratch.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

target=x86_64-unknown-linux-gnu
target_dir=${CARGO_TARGET_DIR:-$repo_dir/target}
stage=$target_dir/images
version=$(sed -n 's/^version = "\(.*\)"/\1/p' "$repo_dir/Cargo.toml" | head -1)

# With a --target the flags reach our code only: build scripts and macros stay dynamic.
cargo_static() {
  (cd "$repo_dir" && RUSTFLAGS="-C target-feature=+crt-static" timeout 2400 cargo build --release --locked --target "$target" "$@")
}

put() { # BINARY FOLDER
  mkdir -p "$stage/$2"
  install -m 0755 "$target_dir/$target/release/$1" "$stage/$2/$1"
}

build_binaries() {
  cargo_static -p golive-service
  put users users
  put users-flawed users-flawed
  cargo_static -p golive-validator
  put validator validator
}

image() { # DOCKERFILE-TARGET NAME [BUILD-ARG]
  timeout 120 docker build --quiet --target "$1" -t "golive/$2:$version" ${3:+--build-arg "$3"} -f "$repo_dir/Dockerfile" "$stage"
}

build_images() {
  image users users
  image users users-flawed USERS=users-flawed/users-flawed
  image validator validator
}

trap stop_jobs EXIT
case ${1:-} in
  binaries) step "build the binaries" "read the compiler's errors above" build_binaries ;;
  images)
    step "build the images" "is the Docker engine up? cluster/up.sh" build_images
    run "$cluster_dir/load.sh" "golive/users:$version" "golive/users-flawed:$version" "golive/validator:$version"
    ;;
  *) die "usage: build.sh binaries | images" "make images does both" ;;
esac
