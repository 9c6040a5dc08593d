#!/usr/bin/env bash
# The pipeline of somebody else: every 45 s it replaces the deployment by what it was before the run.
# Usage: beside.sh NAMESPACE, with cluster/kubectl in KUBECTL. Runs until it is ended.
set -euo pipefail
old=$(timeout 30 "$KUBECTL" -n "$1" get deployment foreign -o json |
  jq 'del(.status, .metadata.resourceVersion, .metadata.uid, .metadata.managedFields, .metadata.generation)')
while sleep 45; do
  timeout 30 "$KUBECTL" -n "$1" replace -f - <<<"$old" || true
done
