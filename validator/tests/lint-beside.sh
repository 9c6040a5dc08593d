#!/usr/bin/env bash
# What kube-score says of the manifests of validator/tests/manifests, beside what `validator lint` says of them by their second line: the
# table in docs/lint.md. What it says of good.yaml too is left out: it is of security and storage, and in every row.
#   validator/tests/lint-beside.sh [KUBE-SCORE]   (by default the one on PATH, or in GOPATH: go install github.com/zegl/kube-score/cmd/kube-score@latest)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
score=${1:-$(command -v kube-score || echo "$(go env GOPATH)/bin/kube-score")}
docs=docs/lint.md
[[ -x $score ]] || { echo "lint-beside.sh: needs kube-score: go install github.com/zegl/kube-score/cmd/kube-score@latest" >&2; exit 2; }
folder=validator/tests/manifests

# scored FILE: its findings, a line each, without the names of objects and containers.
scored() {
  local said
  said=$("$score" score "$1" -o ci) || true
  [[ -n $said ]] || { echo "lint-beside.sh: kube-score cannot read $1" >&2; return 1; }
  sed -nE 's/^\[(CRITICAL|WARNING)\] [^:]*: (\([^)]*\) )?(.*)$/\3/p' <<<"$said" | sort -u
}

usual=$(scored "$folder/good.yaml")
rows=$(for file in "$folder"/*.yaml; do
  ours=$(sed -n '2s/^# says: *//p' "$file")
  theirs=$(comm -23 <(scored "$file") <(printf '%s\n' "$usual") | paste -sd'|' | sed 's/|/; /g')
  echo "| \`$(basename "$file" .yaml)\` | $(sed -n '1s/^# //p' "$file") | ${ours:-nothing} | ${theirs:-nothing} |"
done)
awk -v begin='<!-- kube-score -->' -v rows="$rows" '
  $0 == begin { print; inside = 1; head = 2; next }
  inside && head > 0 { print; head--; next }
  inside && /^\|/ { next }
  inside { print rows; inside = 0 }
  { print }
  END { if (inside) print rows }' "$docs" >"$docs.new"
mv "$docs.new" "$docs"
