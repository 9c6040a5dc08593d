#!/usr/bin/env bash
# Whether the public API of golive-pillars, with every feature, breaks with that of an earlier revision. No registry has the
# crate, so the base is built from git.
#
#   pillars/semver.sh [BASE]      by default where this branch has left main, or the commit before on main itself
#
# Skipped where cargo-semver-checks cannot be built, or there is no base. The version in Cargo.toml says which breaks are allowed.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/../cluster/lib.sh"

semver_version=0.51.0

install_semver() {
  timeout 1800 cargo install --locked --root "$cache" cargo-semver-checks@$semver_version
}

skip() { # REASON
  say "SKIPPED: semver checks, $1"
  exit 0
}

trap stop_jobs EXIT
cd "$repo_dir"
base=${1:-$(git merge-base HEAD main 2>/dev/null || true)}
if [[ $base == "$(git rev-parse HEAD)" ]]; then base=HEAD~1; fi
git cat-file -e "$base:pillars/Cargo.toml" 2>/dev/null || skip "no crate at the base '$base'"
if [[ $("$cache/bin/cargo-semver-checks" semver-checks --version 2>/dev/null) != *" $semver_version" ]]; then
  (step "build cargo-semver-checks" "cargo install cargo-semver-checks" install_semver) ||
    skip "cargo-semver-checks cannot be built here"
fi
timeout 1800 "$cache/bin/cargo-semver-checks" semver-checks -p golive-pillars --all-features --baseline-rev "$base"
