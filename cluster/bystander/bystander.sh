# Sourced after gate.sh: another client of the Postgres that a target uses, which may see no error, no connection closed
# and no query slower because of us. It asks by the Service and by the address of the pod side by side: what slows both
# in the same time is the machine.
# shellcheck shell=bash disable=SC2154
bystander=bystander
slow_ms=100

bystander_url() { kubectl_ -n "$namespace" get secret users-database -o "jsonpath={.data.DATABASE_URL}" | base64 -d; }

bystander_start() {
  local url address
  url=$(bystander_url)
  address=$(kubectl_ -n "$namespace" get endpointslice -l kubernetes.io/service-name=postgres -o 'jsonpath={.items[0].endpoints[0].addresses[0]}')
  kubectl_ -n "$namespace" delete pod "$bystander" --ignore-not-found --now
  kubectl_ -n "$namespace" run "$bystander" --image="$postgres_image" --restart=Never --env="SERVICE_URL=$url" \
    --env="DIRECT_URL=${url/@postgres:/@$address:}" --command -- bash -c "$(cat "$cluster_dir/bystander/client.sh")"
  kubectl_ -n "$namespace" wait --for=condition=Ready "pod/$bystander" --timeout=50s
  await 60 bystander_answered
}

bystander_answered() { kubectl_ -n "$namespace" exec "$bystander" -- grep -q '^[0-9]* service new' /tmp/answers; }

# bystander_read FILE: what it has seen so far.
bystander_read() { kubectl_ -n "$namespace" exec "$bystander" -- cat /tmp/answers >"$1"; }

# bystander_errors FILE: every query that went wrong.
bystander_errors() { awk 'NF > 4' "$1"; }

bystander_done() { kubectl_ -n "$namespace" exec "$bystander" -- test -e /tmp/done; }

# bystander_stop FILE: reads the whole and ends the pod.
bystander_stop() {
  kubectl_ -n "$namespace" exec "$bystander" -- touch /tmp/stop
  await 30 bystander_done
  bystander_read "$1"
  kubectl_ -n "$namespace" delete pod "$bystander" --now
}

# bystander_summary FILE: a line per client and connection, and each error; fails when it was disturbed. Starting psql on a
# busy machine takes over 100 ms now and then, by the Service and directly alike; "because of us" is what the Service has
# beyond chance: more than the direct client's count and three times its square root.
bystander_summary() {
  awk -v slow=$slow_ms '
    { key = $2 " " $3; n[key]++; sum[key] += $4; if ($4 > max[key]) max[key] = $4 }
    $4 > slow { over[key]++ }
    NF > 4 { errors++; print "    " $0 }
    function beyond(kind, direct) { direct = over["direct " kind] + 0; return over["service " kind] > direct + 3 * sqrt(direct + 1) }
    END {
      for (key in n) printf "    %-13s %5d queries, mean %.1f ms, longest %d ms, %d over %d ms\n", key, n[key], sum[key] / n[key], max[key], over[key], slow
      printf "    %d errors\n", errors
      exit (n["service kept"] < 500 || n["service new"] < 500 || beyond("kept") || beyond("new") || errors > 0)
    }' "$1"
}
