#!/usr/bin/env bash
# Provides kind, helm, kubectl, promtool and prometheus in the cache's bin: a suitable one from PATH, or built (the last two: Debian's).
# tools.sh [TOOL...]; without arguments the first three.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# suitable TOOL PATH: is the version near enough to what the scripts and the node image were made for?
suitable() {
  case $1 in
    kind) timeout 10 "$2" version 2>/dev/null | grep -Eq 'v0\.(3[0-9]|[4-9][0-9])\.' ;;
    helm) timeout 10 "$2" version --short 2>/dev/null | grep -Eq '^v(3\.(1[4-9]|[2-9][0-9])|4\.)' ;;
    promtool | prometheus) timeout 10 "$2" --version 2>&1 | grep -Eq 'version (2\.(4[2-9]|[5-9][0-9])|3)\.' ;;
    # kubectl supports one minor more and one less than the server's 1.34.
    kubectl) timeout 10 "$2" version --client 2>/dev/null | grep -Eq 'v1\.3[345]\.[0-9]+$' ;;
  esac
}

# on_path TOOL: the first suitable one outside the cache.
on_path() {
  local candidate
  while read -r candidate; do
    [[ $candidate == "$cache"/* ]] && continue
    if suitable "$1" "$candidate"; then echo "$candidate" && return; fi
  done < <(type -ap "$1")
  return 1
}

# The package alone, unpacked: installing it would start a server. Both come out of it, and it is had once.
from_debian() {
  local scratch
  scratch=$(mktemp -d)
  (cd "$scratch" && timeout 600 apt-get -q -y update && timeout 600 apt-get -q download prometheus && dpkg -x prometheus_*.deb .)
  mkdir -p "$cache/parts/promtool"
  install "$scratch/usr/bin/promtool" "$scratch/usr/bin/prometheus" "$cache/parts/promtool/"
  rm -rf "$scratch"
}

provide() {
  local tool=$1 module=$1 link=$cache/bin/$1 found
  if [[ $tool == kubectl ]]; then module=kubernetes; fi
  if [[ $tool != prom* && $(readlink "$link") == "$cache/parts/"* ]]; then
    if "$cluster_dir/modules.sh" --check "$module" "$tool"; then return; fi
  elif suitable "$tool" "$link"; then
    return
  fi
  if found=$(on_path "$tool"); then
    ln -sfn "$found" "$link"
    say "$tool: $found"
    return
  fi
  if [[ $tool == prom* ]]; then
    suitable "$tool" "$cache/parts/promtool/$tool" || step "$tool from Debian" "put $tool on PATH" from_debian
    ln -sfn "$cache/parts/promtool/$tool" "$link"
    return
  fi
  step "$tool from Go modules" "put $tool on PATH, or see that Go's module proxy answers" "$cluster_dir/modules.sh" "$module" "$tool"
  ln -sfn "$cache/parts/$module/$tool" "$link"
}

trap stop_jobs EXIT
if (($# == 0)); then set -- kind helm kubectl; fi
for tool; do provide "$tool"; done
