#!/usr/bin/env bash
# The gate without a cluster: builds validator and service, and gates the service on this machine.
#   examples/try.sh try | try-full | try-bare
# Ends with the exit code of the gate; 2 with the command to run where something is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
case=${1:?expected try, try-full or try-bare}
target=${CARGO_TARGET_DIR:-target}

missing() {
  echo "try: $1; $2" >&2
  exit 2
}

took() { printf '%-10s %4d s\n' "$1" $((SECONDS - since)) >&2; since=$SECONDS; }

since=$SECONDS
service/tests/backends.sh gate || missing "Postgres and Redis are missing" "as root: apt-get install postgresql redis-server"
command -v cargo >/dev/null || missing "cargo is missing" "install Rust: https://rustup.rs"
took packages

service=users
if [ "$case" = try-bare ]; then service=users-flawed; fi
cargo build --locked -p golive-validator -p golive-service --bin validator --bin "$service"
took build

mkdir -p golive-out
out=golive-out/$case
# What an earlier run has left tells nothing of this one.
rm -f "$out".*
code=0
"$target/debug/validator" local -f "examples/$case.yaml" --report "terminal=$out.txt" --report "json=$out.json" \
  --evidence "$out.evidence.zst" -- "$target/debug/$service" || code=$?
took gate
if [ -f "$out.json" ]; then echo "report: $out.txt, $out.json"; fi
if [ -f "$out.evidence.zst" ]; then echo "judge it again: $target/debug/validator judge $out.evidence.zst"; fi
exit "$code"
