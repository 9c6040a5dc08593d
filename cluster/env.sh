# Source me: the tools and the cluster of this project, in this shell only.
# shellcheck shell=sh
golive_cache="${GOLIVE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/golive}"
PATH="$golive_cache/bin:$PATH"
KUBECONFIG="$golive_cache/kubeconfig"
GOLIVE_CONTEXT=kind-golive
export PATH KUBECONFIG GOLIVE_CONTEXT
