#!/usr/bin/env bash
# Nothing at all, each pillar and each adapter alone, each pillar with each adapter, with each other pillar and all together,
# without warnings; and a crate outside of this workspace that takes the breaker alone. With `--table` it prints what each
# pillar brings along, for pillars/README.md, whose crates are checked as well (the seconds are those of one machine).
#
# Of the 2,048 sets of eleven features these are the ones that differ: code asks for a pillar with an adapter, for two pillars,
# or, of the adapters, for `axum` together with `metrics`, which `otlp-metrics` has with it; nothing asks for more otherwise.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

pillars=(breaker health shutdown telemetry)
adapters=(axum clap metrics tower)
told=("${pillars[@]}" otlp-metrics otlp-full service)

check() { # FEATURES
  printf '### %s\n' "${1:-no feature}"
  cargo clippy --quiet --locked -p golive-pillars --no-default-features --features "$1" -- -D warnings
}

# How many crates are built for it, by their names, without golive-pillars itself.
crates() { # FEATURES
  cargo tree --quiet --locked -p golive-pillars --no-default-features --features "$1" -e normal --prefix none --no-dedupe |
    cut -d' ' -f1 | sort -u | grep -vxc golive-pillars
}

# Those that it names itself, of which the others come.
direct() { # FEATURES
  cargo tree --quiet --locked -p golive-pillars --no-default-features --features "$1" -e normal --depth 1 --prefix none |
    cut -d' ' -f1 | sort -u | grep -vx golive-pillars | paste -sd, | sed 's/,/, /g'
}

# Of user and system time, from nothing: on a busy machine as on a calm one. A cache of compilers would answer in its place.
seconds() { # FEATURES
  local fresh rc=0
  fresh=$(mktemp -d)
  (
    export CARGO_INCREMENTAL=0 CARGO_TARGET_DIR=$fresh RUSTC_WRAPPER='' RUSTC_WORKSPACE_WRAPPER=''
    TIMEFORMAT='%U %S'
    { time cargo build --quiet --locked -p golive-pillars --no-default-features --features "$1" 2>"$fresh/log"; } 2>"$fresh/time"
  ) || rc=$?
  if ((rc)); then cat "$fresh/log" >&2; else awk '{ printf "%.0f\n", $1 + $2 }' "$fresh/time"; fi
  rm -rf "$fresh"
  return "$rc"
}

if [[ ${1:-} == --table ]]; then
  printf '| feature | crates | seconds | directly |\n|---|---|---|---|\n'
  for each in "${told[@]}"; do
    count=$(crates "$each")
    took=$(seconds "$each")
    printf '| `%s` | %d | %d | %s |\n' "$each" "$count" "$took" "$(direct "$each")"
  done
  exit 0
fi

for each in "${told[@]}"; do
  count=$(crates "$each")
  named=$(direct "$each")
  if ! grep -F "| \`$each\` | $count |" README.md | grep -qF "| $named |"; then
    printf 'error: pillars/README.md has no row of %s with %d crates, directly %s\n' "$each" "$count" "$named" >&2
    printf '       next: pillars/features.sh --table, or put them there\n' >&2
    exit 1
  fi
done

check ''
for adapter in "${adapters[@]}"; do check "$adapter"; done
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
check otlp-metrics
check breaker,health,shutdown,otlp-metrics
check service
check service,clap,otlp-metrics

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
