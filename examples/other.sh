#!/usr/bin/env bash
# The gate on a service of another language, in two builds: as it was first shipped, and repaired. Each must come out as its file
# `expect` says, which was written before its first run.
#   examples/other.sh python|node [first|repaired]
# Ends with 0 if it does, 1 if not, 2 with the command to run where something is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
language=${1:?expected python or node}
builds=${2:-first repaired}
target=${CARGO_TARGET_DIR:-target}
folder=examples/$language-service

missing() {
  echo "try-$language: $1; $2" >&2
  exit 2
}

service/tests/backends.sh gate || missing "Postgres and Redis are missing" "as root: apt-get install postgresql redis-server"
command -v cargo >/dev/null || missing "cargo is missing" "install Rust: https://rustup.rs"
case $language in
  python)
    # What is installed stays beside the reports, for the next time.
    venv=golive-out/python-venv
    python3 -m venv "$venv" || missing "Python 3.11 with venv is missing" "as root: apt-get install python3-venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r "$folder/requirements.txt"
    run=("$venv/bin/python") file=service.py
    ;;
  node)
    command -v npm >/dev/null || missing "Node 20 with npm is missing" "as root: apt-get install nodejs npm"
    npm ci --prefix "$folder" --silent --no-audit --no-fund
    run=(node) file=service.js
    ;;
  *) missing "no example is called $language" "expected python or node" ;;
esac
# With the features of `make try`, whose build it is.
cargo build --locked --workspace --bin validator
validator=$target/debug/validator

wrong=0
for build in $builds; do
  out=golive-out/$language-$build
  rm -f "$out".*
  "$validator" local -f "$folder/golive.yaml" --seed "$folder/items.sql" --report "terminal=$out.txt" --report "json=$out.json" \
    --evidence "$out.evidence.zst" -- "${run[@]}" "$folder/$build/$file" || true
  [ -f "$out.evidence.zst" ] && "$validator" judge "$out.evidence.zst" --expect "$folder/$build/expect" -q || wrong=1
done
exit "$wrong"
