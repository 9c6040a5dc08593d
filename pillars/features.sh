#!/usr/bin/env bash
# Each pillar alone, with each adapter and all together, without warnings; and a crate outside of this workspace that
# takes the breaker alone. With `--table` it prints what each pillar brings along, for pillars/README.md.
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

if [[ ${1:-} == --table ]]; then
  printf '| feature | crates |\n|---|---|\n'
  # One of them is golive-pillars itself.
  for pillar in "${pillars[@]}"; do printf '| `%s` | %d |\n' "$pillar" "$(($(crates "$pillar") - 1))"; done
  exit 0
fi

for pillar in "${pillars[@]}"; do
  check "$pillar"
  for adapter in "${adapters[@]}"; do check "$pillar,$adapter"; done
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
