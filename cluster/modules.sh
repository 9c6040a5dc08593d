#!/usr/bin/env bash
# Builds a program from the Go modules pinned in go/TOOL, into the cache: modules.sh [--check] TOOL [BINARY...]
# With --check it builds nothing and says by its exit code whether everything is there and current.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

# packages TOOL [BINARY...]: the import paths; only Kubernetes has more than one. Where there is none to be had the main package is here.
packages() {
  local tool=$1 binary
  shift
  case $tool in
    kind) echo sigs.k8s.io/kind ;;
    helm) echo helm.sh/helm/v3/cmd/helm ;;
    etcd) echo go.etcd.io/etcd/server/v3 ;;
    coredns) echo github.com/coredns/coredns ;;
    jaeger) echo github.com/jaegertracing/jaeger/cmd/all-in-one ;;
    kube-state-metrics) echo k8s.io/kube-state-metrics/v2 ;;
    collector | promql | client) echo . ;;
    kubernetes) for binary; do echo "k8s.io/kubernetes/cmd/$binary"; done ;;
    *) die "no such tool: $tool" "one of: $(ls "$cluster_dir/go")" ;;
  esac
}

# stamps TOOL: what the release builds of these two set at link time. Without it kubeadm takes every component for
# v0.0.0, and helm template renders for Kubernetes 1.20, which refuses charts that ask for a newer one.
stamps() {
  local package minor=${kubernetes_version#v1.}
  minor=${minor%.*}
  case $1 in
    kubernetes)
      for package in k8s.io/component-base/version k8s.io/client-go/pkg/version; do
        printf -- ' -X %s.%s' \
          "$package" "gitVersion=$kubernetes_version" "$package" gitMajor=1 "$package" "gitMinor=$minor" \
          "$package" gitTreeState=clean "$package" "gitCommit=$(printf '%040d' 0)" "$package" buildDate=2026-01-01T00:00:00Z
      done
      ;;
    helm)
      for package in helm.sh/helm/v3/pkg/chartutil helm.sh/helm/v3/pkg/lint/rules; do
        printf -- ' -X %s.%s' "$package" k8sVersionMajor=1 "$package" "k8sVersionMinor=$minor"
      done
      ;;
  esac
}

tags() { if [[ $1 == kubernetes ]]; then echo selinux,notest; fi; }

recipe() {
  local own=("$cluster_dir/go/$1"/*.go)
  [[ -e ${own[0]} ]] || own=()
  digest_of "$cluster_dir/go/$1/go.mod" "$cluster_dir/go/$1/go.sum" "${own[@]}" - <<<"$(stamps "$1") $(tags "$1")"
}

# missing TOOL BINARY...: those that are not there, or were built from something else.
missing() {
  local out=$cache/parts/$1 binary stale=no
  if [[ $(cat "$out/.recipe" 2>/dev/null) != "$(recipe "$1")" ]]; then stale=yes; fi
  shift
  for binary; do
    if [[ $stale == yes || ! -x $out/$binary ]]; then echo "$binary"; fi
  done
}

# build TOOL BINARY...: one `go build` for all of them, since they share most packages.
build() {
  local tool=$1 out=$cache/parts/$1 wanted list work target
  one_at_a_time "module-$tool"
  mapfile -t wanted < <(missing "$@")
  ((${#wanted[@]})) || return 0
  command -v go >/dev/null || die "Go is needed to build $tool" "install Go 1.26 or newer, or put a ready-made $tool on PATH"
  if [[ $(cat "$out/.recipe" 2>/dev/null) != "$(recipe "$tool")" ]]; then rm -rf "$out"; fi
  mkdir -p "$out"
  rm -rf "$out"/.build.*
  mapfile -t list < <(packages "$tool" "${wanted[@]}")

  # One package gets the name asked for (etcd's would be called server), several keep theirs.
  work=$(mktemp -d "$out/.build.XXXXXX")
  target=$work/
  if ((${#wanted[@]} == 1)); then target=$work/${wanted[0]}; fi
  cd "$cluster_dir/go/$tool"
  CGO_ENABLED=0 GOFLAGS='-mod=readonly -trimpath -buildvcs=false' GOWORK=off \
    timeout 2400 go build -tags "$(tags "$tool")" -ldflags "-s -w$(stamps "$tool")" -o "$target" "${list[@]}"
  mv -f "$work"/* "$out/"
  rmdir "$work"
  recipe "$tool" >"$out/.recipe"
}

check=no
if [[ ${1:-} == --check ]]; then
  check=yes
  shift
fi
tool=${1:?usage: modules.sh [--check] TOOL [BINARY...]}
shift
if (($# == 0)); then set -- "$tool"; fi
if [[ $check == yes ]]; then [[ -z $(missing "$tool" "$@") ]]; else build "$tool" "$@"; fi
