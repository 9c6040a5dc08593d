#!/usr/bin/env bash
# Another client of the same Postgres, with a steady query through a whole gate run: it may see no error and no query
# slower than 100 ms because of us. Two clients ask side by side, one by the Service and one by the address of the
# pod, where no agent of ours stands: what slows both in the same second is the machine.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=cluster/gate.sh
source "$cluster_dir/gate.sh"

pod=bystander
slow_ms=100

start_pod() {
  kubectl_ -n "$namespace" delete pod "$pod" --ignore-not-found --wait
  kubectl_ -n "$namespace" run "$pod" --image="$postgres_image" --restart=Never --command -- sleep 1800
  kubectl_ -n "$namespace" wait --for=condition=Ready "pod/$pod" --timeout=50s
}

secret() { kubectl_ -n "$namespace" get secret users-database -o "jsonpath={.data.DATABASE_URL}" | base64 -d; }

ask() {
  local url address
  url=$(secret)
  address=$(kubectl_ -n "$namespace" get endpointslice -l kubernetes.io/service-name=postgres -o 'jsonpath={.items[0].endpoints[0].addresses[0]}')
  # Not kubectl_: it would end after a minute.
  timeout 1800 "$cache/bin/kubectl" --kubeconfig "$kubeconfig" --context "$context" -n "$namespace" exec "$pod" -- \
    env "SERVICE_URL=$url" "DIRECT_URL=${url/@postgres:/@$address:}" bash -c "$(cat "$cluster_dir/bystander/client.sh")" >"$out/bystander.txt"
}

# summary: a line per client and connection, and the errors. Starting psql on a busy machine takes over 100 ms now and
# then, by the Service and directly alike; "because of us" is what the Service has beyond chance: more than the direct
# client's count and three times its square root.
summary() {
  awk -v slow=$slow_ms '
    { key = $2 " " $3; n[key]++; sum[key] += $4; if ($4 > max[key]) max[key] = $4 }
    $4 > slow { over[key]++ }
    NF > 4 { errors[key]++; print "    " $0 }
    function beyond(kind, direct) { direct = over["direct " kind] + 0; return over["service " kind] > direct + 3 * sqrt(direct + 1) }
    END {
      for (key in n) printf "    %-13s %5d queries, mean %.1f ms, longest %d ms, %d over %d ms, %d errors\n", key, n[key], sum[key] / n[key], max[key], over[key], slow, errors[key]
      # A connection of the agent closed once when idle, at the hand-back, is allowed.
      exit (n["service kept"] < 1000 || beyond("kept") || beyond("new") || errors["service new"] > 0 || errors["service kept"] > 1)
    }' "$out/bystander.txt"
}

main() {
  trap stop_jobs EXIT
  trap 'exit 130' INT TERM
  prepare
  step "install users and orders" "cluster/kubectl -n $namespace describe pods" install_users
  step "start the bystander" "cluster/kubectl -n $namespace describe pod $pod" start_pod
  ask &
  local client=$!
  # In the background, where its `exit` is not ours.
  run gate good "$repo_dir/golive.yaml" 0 >"$out/bystander.log" 2>&1 || die "the gate did not end in GO" "read $out/bystander.log"
  sleep 5
  kubectl_ -n "$namespace" exec "$pod" -- touch /tmp/stop
  wait "$client" || die "the bystander did not end" "read $out/bystander.txt"
  summary || die "the bystander was disturbed" "read $out/bystander.txt"
  kubectl_ -n "$namespace" delete pod "$pod" --wait
  say "the bystander saw no error and no slow query because of us"
}

main "$@"
