#!/usr/bin/env bash
# Licences, bans and sources of every crate; advisories where their database can be reached.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

deny_version=0.20.2

install_deny() {
  timeout 1800 cargo install --locked --root "$cache" cargo-deny@$deny_version
}

trap stop_jobs EXIT
cd "$repo_dir"
[[ $("$cache/bin/cargo-deny" --version 2>/dev/null) == "cargo-deny $deny_version" ]] ||
  step "build cargo-deny" "cargo install cargo-deny" install_deny
timeout 300 "$cache/bin/cargo-deny" --locked check bans licenses sources
if timeout 120 "$cache/bin/cargo-deny" --locked check advisories; then
  say "advisories checked"
else
  timeout 20 "$cache/bin/cargo-deny" fetch db >/dev/null 2>&1 && exit 1
  say "SKIPPED: advisories, their database cannot be reached from here"
fi
