#!/usr/bin/env bash
# Each pillar alone, with each adapter, with each other pillar and all together, without warnings; and a crate outside of
# this workspace that takes the breaker alone. With `--table` it prints what each pillar brings along, for pillars/README.md.
#
# Of the 256 sets of features these are the ones that differ: code asks for a pillar with an adapter, for two pillars, or, of
# the adapters, for `axum` together with `metrics`; nothing asks for three features otherwise.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

pillars=(breaker health shutdown telemetry)
adapters=(axum clap metrics tower)

check() { # FEATURES
  printf '### %s\n' "$1"
  cargo clippy --quiet --locked -p golive-pillars --no-default-features --features "$1" -- -D warnings
}

crates() { # FEATURES
  cargo tree --quiet --locked -p golive-pillars --no-default-features --features "$1" -e normal --prefix none --no-dedupe |
    cut -d' ' -f1 | sort -u | wc -l
}

# Of user and system time, from nothing: on a busy machine as on a calm one.
seconds() { # FEATURES
  local fresh TIMEFORMAT='%U %S'
  fresh=$(mktemp -d)
  { time CARGO_INCREMENTAL=0 CARGO_TARGET_DIR=$fresh cargo build --quiet --locked -p golive-pillars --no-default-features --features "$1"; } 2>&1 |
    awk '{ printf "%.0f", $1 + $2 }'
  rm -rf "$fresh"
}

if [[ ${1:-} == --table ]]; then
  printf '| feature | crates | seconds |\n|---|---|---|\n'
  # One of them is golive-pillars itself.
  for each in "${pillars[@]}" service; do
    printf '| `%s` | %d | %s |\n' "$each" "$(($(crates "$each") - 1))" "$(seconds "$each")"
  done
  exit 0
fi

for pillar in "${pillars[@]}"; do
  check "$pillar"
  for adapter in "${adapters[@]}"; do check "$pillar,$adapter"; done
  check "$pillar,axum,metrics"
  # Each two pillars once.
  for other in "${pillars[@]}"; do
    if [[ $pillar < $other ]]; then check "$pillar,$other"; fi
  done
done
all=$(IFS=,; printf '%s' "${pillars[*]},${adapters[*]}")
check "$all"
check otlp-full
check service
check service,clap

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
mkdir "$scratch/src"
cat > "$scratch/Cargo.toml" <<TOML
[package]
name = "scratch"
edition = "2024"

[dependencies]
golive-pillars = { path = "$PWD", features = ["breaker"] }

[workspace]
TOML
cat > "$scratch/src/main.rs" <<'RUST'
use golive_pillars::breaker::{Breaker, Config};

fn main() {
    assert!(Breaker::new("scratch", Config::default()).is_ok());
}
RUST
printf '### a crate outside of the workspace\n'
cp ../Cargo.lock "$scratch/"
CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$PWD/../target} cargo run --quiet --manifest-path "$scratch/Cargo.toml"
