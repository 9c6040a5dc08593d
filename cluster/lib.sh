# Sourced by every script here: settings, progress, bounded waits.
# shellcheck shell=bash disable=SC2034
set -euo pipefail

cluster_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
repo_dir=${cluster_dir%/*}

cache=${GOLIVE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/golive}
cluster=golive
context=kind-golive
kubeconfig=$cache/kubeconfig

kubernetes_version=v1.34.9
node_image=kindest/node:$kubernetes_version
postgres_image=postgres:15
redis_image=redis:7.0
jaeger_image=jaegertracing/all-in-one:1.76.0
backend_images=("$postgres_image" "$redis_image" "$jaeger_image")

mkdir -p "$cache/bin" "$cache/log" "$cache/parts" "$cache/run"
# dockerd and iptables live in sbin, which a plain user's PATH lacks.
PATH=$cache/bin:$PATH:/usr/local/sbin:/usr/sbin:/sbin

say() { printf '==> %s\n' "$*"; }

die() { # MESSAGE NEXT-STEP
  printf 'error: %s\n       next: %s\n' "$1" "$2" >&2
  exit 1
}

# step LABEL NEXT-STEP COMMAND...: runs COMMAND with its output in a log file and says how long it took.
# COMMAND runs in the background and is waited for: a command that is tested (if, ||) would lose `set -e`.
step() {
  local label=$1 hint=$2 start=$SECONDS log rc=0
  shift 2
  log=$cache/log/$(tr -cs 'a-zA-Z0-9.\n' '-' <<<"$label").log
  say "$label ..."
  "$@" >"$log" 2>&1 &
  wait $! || rc=$?
  if ((rc)); then
    printf 'error: %s: failed with %d after %d s; the end of %s:\n' "$label" "$rc" $((SECONDS - start)) "$log" >&2
    tail -n 20 "$log" | sed 's/^/    | /' >&2
    printf '       next: %s\n' "$hint" >&2
    return 1
  fi
  printf '    %s (%d s)\n' "$label" $((SECONDS - start))
}

# run COMMAND...: in the background and waited for, so that a signal ends us now and not when COMMAND does.
run() {
  "$@" &
  wait $!
}

# await SECONDS COMMAND...: polls until COMMAND succeeds, at most for SECONDS.
await() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    if ((SECONDS >= deadline)); then
      printf 'not within the deadline: %s\n' "$*" >&2
      return 1
    fi
    sleep 0.3
  done
}

# stop_tree PID: ends a process we started together with its children (timeout puts them in groups of their own).
stop_tree() {
  local child children=()
  # The file has no newline at its end, which read reports as a failure.
  { read -ra children <"/proc/$1/task/$1/children"; } 2>/dev/null || true
  for child in "${children[@]}"; do stop_tree "$child"; done
  kill "$1" 2>/dev/null || true
}

stop_jobs() {
  local job
  for job in $(jobs -p); do stop_tree "$job"; done
}

# one_at_a_time NAME: waits for another script that builds the same thing. The lock ends with this process.
one_at_a_time() {
  local lock
  exec {lock}>"$cache/run/$1.lock"
  flock -w 1800 "$lock" || die "another process has been building $1 for 30 minutes" "see $cache/log, end that process, run again"
}

digest_of() { cat "$@" | sha256sum | cut -c1-16; }

# apt_install PACKAGE...: only what is missing, so that a prepared machine needs neither root nor a mirror.
apt_install() {
  local package missing=()
  for package; do
    [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] || missing+=("$package")
  done
  ((${#missing[@]})) || return 0
  ((EUID == 0)) || die "missing packages: ${missing[*]}" "sudo apt-get install ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  local apt=(timeout 600 apt-get -q -y -o DPkg::Lock::Timeout=300)
  "${apt[@]}" update && "${apt[@]}" install --no-install-recommends "${missing[@]}"
}

kubectl_() { timeout 60 "$cache/bin/kubectl" --kubeconfig "$kubeconfig" --context "$context" "$@"; }
