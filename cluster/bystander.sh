#!/usr/bin/env bash
# Another client of the same Postgres through a whole gate: its one kept connection stays, no query fails and none is
# slower because of us.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=cluster/gate.sh
source "$cluster_dir/gate.sh"
# shellcheck source=cluster/bystander/bystander.sh
source "$cluster_dir/bystander/bystander.sh"

main() {
  trap stop_jobs EXIT
  trap 'exit 130' INT TERM
  prepare
  step "install users and orders" "cluster/kubectl -n $namespace describe pods" install_users
  step "start the bystander" "cluster/kubectl -n $namespace describe pod $bystander" bystander_start
  # In the background, where its `exit` is not ours.
  run gate good "$repo_dir/golive.yaml" 0 >"$out/bystander.log" 2>&1 || die "the gate did not end in GO" "read $out/bystander.log"
  step "end the bystander" "cluster/kubectl -n $namespace describe pod $bystander" bystander_stop "$out/bystander.txt"
  bystander_summary "$out/bystander.txt" || die "the bystander was disturbed" "read $out/bystander.txt"
  say "the bystander saw no error, no closed connection and no slow query because of us"
}

main
