#!/bin/sh
# Fuzzes the headers that a request brings, and what is said past the middle agents: RUNS inputs each from a fixed seed.
# Fails on a finding, and leaves the input that shows it in the folder golive-out.
set -eu
cd "$(dirname "$0")/../.."
runs=${RUNS:-200000}

# What cargo-fuzz passes, less the sanitizers, which need a nightly compiler; safe code has little for them to find.
# With --target these do not reach build scripts, which could not be linked.
target=$(rustc -vV | sed -n 's/^host: //p')
flags="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares"
RUSTFLAGS=$(echo "$flags" | tr -s ' \n' ' ')
export RUSTFLAGS
timeout 900 cargo build --quiet --locked -p golive-fuzz --features libfuzzer --profile fuzz --target "$target"

corpus=$(mktemp -d)
trap 'rm -rf "$corpus"' EXIT
mkdir -p golive-out

# fuzz BINARY SEEDS OPTION...
fuzz() {
    binary=$1 seeds=$2
    shift 2
    mkdir "$corpus/$binary"
    timeout 300 "${CARGO_TARGET_DIR:-target}/$target/fuzz/$binary" -seed=1 -runs="$runs" -max_len=1024 -timeout=10 \
        "$@" -artifact_prefix="golive-out/fuzz-$binary-" -print_final_stats=1 "$corpus/$binary" "service/fuzz/$seeds"
}

fuzz headers seeds -dict=service/fuzz/headers.dict
fuzz followers seeds-followers
