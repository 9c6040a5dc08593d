#!/usr/bin/env bash
# The validator is killed with -9 while every pod of the target is without all its data stores: the agents must forward
# again within 20 s, users must read from the database within 55 s, the guardian must give the Services back, and
# nothing of ours may be left after `validator cleanup`. Then the same with the agent before Postgres deleted too; what
# that leaves is for the next run, which must clean up before it begins, and say so.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=cluster/gate.sh
source "$cluster_dir/gate.sh"

pod=asker
log=$out/killed.err
answers=$out/killed.answers.txt

kubectl_n() { kubectl_ -n "$namespace" "$@"; }

start_asker() {
  kubectl_n delete pod "$pod" --ignore-not-found --wait
  kubectl_n run "$pod" --image="$postgres_image" --restart=Never --command -- bash -c "$(cat "$cluster_dir/kill-test/asker.sh")"
  kubectl_n wait --for=condition=Ready "pod/$pod" --timeout=50s
}

ready_endpoints() {
  kubectl_n get endpointslice -l kubernetes.io/service-name=users \
    -o 'jsonpath={range .items[*].endpoints[?(@.conditions.ready==true)]}x{end}'
}

nobody_ready() { [[ -z $(ready_endpoints) ]]; }
lost() { grep -q 'dependencies are lost' "$log"; }
given_back() { [[ $(kubectl_n get services -o json) != *golive.dev/original-selector* ]]; }

# forwards_again COUNT: so many agents, those whose faults nobody is left to end, have said that these are over.
forwards_again() {
  local over
  over=$(kubectl_n logs -l golive.dev/role=middle --tail=-1 --prefix | grep 'every fault is over' | cut -d' ' -f1 | sort -u | wc -l)
  ((over >= $1))
}

# read_fresh SINCE: from then on, a user was read from the database.
read_fresh() {
  kubectl_n logs "$pod" --tail=400 >"$answers"
  awk -v since="$1" '$1 > since && $2 == 200 && $3 == "" { found = 1 } END { exit !found }' "$answers"
}

left_over() {
  kubectl_n get pods,deployments,services,leases,serviceaccounts,roles,rolebindings -l golive.dev/run -o name
}

start_run() {
  KUBECONFIG=$kubeconfig "$validator" run --context "$context" -f "$repo_dir/golive.yaml" --timeout 20m \
    --evidence "$out/killed.evidence.zst" >"$out/killed.txt" 2>"$log" &
  run_pid=$!
}

# kill_in_blackout: runs the gate until everything is lost for every pod, and kills it. Sets `killed`.
kill_in_blackout() {
  say "a gate run until the total outage (4 min)"
  start_run
  await 420 lost || die "the run did not come to the losses" "read $log"
  await 60 nobody_ready || die "a pod stayed ready" "read $log"
  sleep 12 # from the loss of one store to that of all
  kill -9 "$run_pid"
  wait "$run_pid" 2>/dev/null || true
  killed=$EPOCHSECONDS
  printf '    killed while no endpoint was ready\n'
}

# within SECONDS WHAT COMMAND...: since the kill.
within() {
  local limit=$1 what=$2
  shift 2
  await $((killed + limit + 2 - EPOCHSECONDS)) "$@" || die "not within $limit s of the kill: $what" "read $log and $answers"
  printf '    %s: %d s after the kill\n' "$what" $((EPOCHSECONDS - killed))
}

clean() {
  KUBECONFIG=$kubeconfig timeout 180 "$validator" cleanup --context "$context" -n "$namespace" | sed 's/^/    | /'
  [[ -z $(left_over) ]] || die "left over: $(left_over | tr '\n' ' ')" "cluster/kubectl -n $namespace get all"
  kubectl_n get deployment users -o json | grep -q golive.dev/rollback-to && die "the deployment is still marked" "validator cleanup"
  printf '    nothing of ours is left\n'
}

killed_alone() {
  kill_in_blackout
  within 20 "the agents of both data stores forward again" forwards_again 2
  within 55 "a user is read from the database" read_fresh "$killed"
  within 80 "the guardian has given the Services back" given_back
  clean
}

killed_with_an_agent() {
  kill_in_blackout
  kubectl_n get pods -l golive.dev/role=middle -o name | grep -e -postgres- | xargs "$cache/bin/kubectl" --kubeconfig "$kubeconfig" --context "$context" -n "$namespace" delete --wait=false
  within 20 "the agent that is left forwards again" forwards_again 1
  within 55 "a user is read from the database" read_fresh "$killed"
  within 80 "the guardian has given the Services back" given_back
}

cleans_first() { grep -q 'left behind by an earlier run' "$log"; }

next_run_cleans() {
  say "the next run cleans up first"
  start_run
  await 200 cleans_first || die "the next run did not say that it cleaned up" "read $log"
  grep 'left behind by an earlier run' "$log" | head -n 5 | sed 's/^/    | /'
  kill -INT "$run_pid"
  wait "$run_pid" || true
  clean
}

main() {
  trap stop_jobs EXIT
  trap 'exit 130' INT TERM
  prepare
  step "install users and orders" "cluster/kubectl -n $namespace describe pods" install_users
  step "start the asker" "cluster/kubectl -n $namespace describe pod $pod" start_asker
  killed_alone
  step "wait for the users" "cluster/kubectl -n $namespace get pods" kubectl_n rollout status deployment/users --timeout=55s
  killed_with_an_agent
  next_run_cleans
  kubectl_n delete pod "$pod" --wait
  say "whoever kills the validator leaves nothing broken"
}

main "$@"
