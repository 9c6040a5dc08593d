#!/usr/bin/env bash
# The same checks on both platforms, for docs/trust.md: which come out otherwise on a machine than in the cluster, for the good build
# and for the bare one, and why. A difference without a reason in platforms.reasons is an error.
#   validator/tests/platforms.sh GOOD-CLUSTER GOOD-MACHINE BARE-CLUSTER BARE-MACHINE; JSON reports of whole runs
# Writes the rows between `<!-- platforms -->` and the next title of docs/trust.md.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
(($# == 4)) || { echo "platforms.sh: expected four reports" >&2; exit 2; }
reasons=validator/tests/platforms.reasons
docs=docs/trust.md

table=$(jq -rn --rawfile reasons "$reasons" --slurpfile a "$1" --slurpfile b "$2" --slurpfile c "$3" --slurpfile d "$4" '
  def outcomes: [.[0].checks[] | {key: .id, value: .outcome}] | from_entries;
  ($reasons | split("\n") | map(select(startswith("GL-")) | {key: .[0:7], value: .[8:]}) | from_entries) as $why
  | ($a | outcomes) as $a | ($b | outcomes) as $b | ($c | outcomes) as $c | ($d | outcomes) as $d
  | ($a | keys) as $all
  | [$all[] | select($a[.] != $b[.] or $c[.] != $d[.])] as $differ
  | "Of \($all | length) checks \($all | length - ($differ | length)) have the same outcome on both, for both builds.",
    "",
    "| check | good: cluster, machine | bare: cluster, machine | why |",
    "|---|---|---|---|",
    ($differ[] | "| \(.) | \($a[.]), \($b[.]) | \($c[.]), \($d[.]) | \($why[.] // "NO REASON") |")')
printf '%s\n' "$table" | grep 'NO REASON' >&2 && { echo "platforms.sh: say why in $reasons" >&2; exit 1; }
awk -v begin="<!-- platforms -->" -v table="$table" '
  $0 == begin { print; print table; inside = 1; next }
  inside && /^## / { inside = 0; print "" }
  inside { next }
  { print }' "$docs" >"$docs.new"
mv "$docs.new" "$docs"
