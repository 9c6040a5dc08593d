#!/usr/bin/env bash
# The validator killed with -9 at random moments of a run: the guardian alone must bring the target's template back within
# 120 s, `validator cleanup` must leave nothing of ours, and a client of the same Postgres beside us may see no error at
# any moment. At last the run after a killed one must clean up first, and say so.
# Usage: kill-test.sh [TIMES]; 3 if nothing is said, 20 are the whole proof. GOLIVE_SEED repeats the moments of a run.
# GOLIVE_JOBS=2 to 4 divides them among as many namespaces (kill-1, kill-2 ...), side by side: no time is judged here.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=cluster/gate.sh
source "$cluster_dir/gate.sh"
# shellcheck source=cluster/bystander/bystander.sh
source "$cluster_dir/bystander/bystander.sh"

times=${1:-3}
[[ $times =~ ^[1-9][0-9]?$ ]] || die "not a number of times from 1 to 99: $times" "kill-test.sh 3"
seed=${GOLIVE_SEED:-$RANDOM}
jobs=${GOLIVE_JOBS:-1}
[[ $jobs =~ ^[1-4]$ ]] || die "GOLIVE_JOBS=$jobs" "a number from 1 to 4"
# A moment is within the seconds that a run takes; one that ended before says how many these are.
first_s=5
last_s=380
back_s=120

kubectl_n() { kubectl_ -n "$namespace" "$@"; }

template() { kubectl_n get deployment users -o json | jq -S .spec.template; }

start_run() {
  KUBECONFIG=$(account_config "$namespace") "$validator" run --context "$context" -n "$namespace" -f "$repo_dir/golive.yaml" --timeout 20m \
    --evidence "$out/killed.evidence.zst" >"$out/killed.txt" 2>"$log" &
  run_pid=$!
}

ended() { [[ ! -d /proc/$run_pid ]]; }

# killed_after SECONDS: a run until that moment; fails if it ended by itself.
killed_after() {
  local until=$((SECONDS + $1))
  start_run
  while ((SECONDS < until)); do
    if ended; then return 1; fi
    sleep 0.2
  done
  kill -9 "$run_pid"
  wait "$run_pid" 2>/dev/null || true
  killed=$EPOCHSECONDS
}

as_before() { [[ $(template) == "$before" ]]; }

# The guardian has done its part when the note on the way back is gone as well.
no_note() { [[ $(kubectl_n get deployment users -o json) != *golive.dev/rollback-to* ]]; }

given_back() { as_before && no_note; }

undisturbed() {
  bystander_read "$seen"
  [[ -z $(bystander_errors "$seen") ]] || die "the bystander saw an error: $(bystander_errors "$seen" | head -n 3)" "read $seen"
}

# at_rest: all pods are of the present template.
at_rest() {
  timeout 240 "$cache/bin/kubectl" --kubeconfig "$kubeconfig" --context "$context" -n "$namespace" \
    rollout status deployment/users --timeout 230s >/dev/null
}

clean() {
  KUBECONFIG=$(account_config "$namespace") timeout 400 "$validator" cleanup --context "$context" -n "$namespace" | sed 's/^/    | /'
  local left
  left=$(left_over)
  [[ -z $left ]] || die "left over: ${left//$'\n'/, }" "cluster/kubectl -n $namespace get all"
}

once() { # NUMBER
  local moment before step took
  at_rest
  before=$(template)
  moment=$((first_s + RANDOM % (last_s - first_s)))
  say "killed $1 of $times: a run for $moment s"
  if ! killed_after "$moment"; then
    # Nothing was killed; the candidate may stay, and the moment is drawn again from the time that a run takes.
    wait "$run_pid" || true
    last_s=$((moment - 20))
    ((last_s > first_s + 60)) || die "a run ended by itself before it could be killed" "read $log"
    once "$1"
    return
  fi
  step=$(tail -n 1 "$log" | tr -d '\r')
  await "$back_s" given_back || die "not within $back_s s of the kill: the template as before (seed $seed)" "diff it; read $log"
  took=$((EPOCHSECONDS - killed))
  undisturbed
  clean
  as_before || die "the clean-up changed the template" "cluster/kubectl -n $namespace rollout history deployment/users"
  printf '    %s s: template as before after %d s, nothing left, bystander undisturbed; it was at: %s\n' "$moment" "$took" "$step"
}

cleans_first() { grep -q 'left behind by an earlier run' "$log"; }

next_run_cleans() {
  local tries=1
  say "the next run cleans up first"
  at_rest
  # A busy machine may end a run before that.
  until killed_after 60; do
    wait "$run_pid" || true
    ((tries++ < 3)) || die "three runs ended by themselves within 60 s" "read $log"
    at_rest
  done
  start_run
  await 300 cleans_first || die "the next run did not say that it cleaned up" "read $log"
  grep 'left behind by an earlier run' "$log" | head -n 5 | sed 's/^/    | /'
  kill -INT "$run_pid"
  wait "$run_pid" || true
  clean
}

# whole TIMES: in `namespace`, with what it needs.
whole() {
  local number
  RANDOM=$seed log=$out/killed.err seen=$out/killed.bystander.txt times=$1
  prepare_namespace
  step "install users and orders" "cluster/kubectl -n $namespace describe pods" install_users
  step "start the bystander" "cluster/kubectl -n $namespace describe pod $bystander" bystander_start
  say "$times times, seed $seed"
  for ((number = 1; number <= times; number++)); do once "$number"; done
  next_run_cleans
  step "end the bystander" "cluster/kubectl -n $namespace describe pod $bystander" bystander_stop "$seen"
  # How long its queries took is for kind-bystander to judge: here several runs share the machine.
  bystander_summary "$seen" || true
  [[ -z $(bystander_errors "$seen") ]] || die "the bystander saw an error (seed $seed)" "read $seen"
}

# lane NUMBER: its part of the times in a namespace of its own.
lane() {
  trap stop_jobs EXIT
  namespace=kill-$1 out=$out/kill-$1 seed=$((seed + $1))
  whole $(((times + $1 - 1) / jobs))
  kubectl_ delete namespace "$namespace" --wait=false
}

lanes() {
  local number pids=()
  for ((number = 1; number <= jobs; number++)); do
    in_lane "$number" lane "$number"
    pids+=($!)
  done
  all_ended "${pids[@]}" || die "not every lane came through" "read what begins with its number; cluster/kubectl get namespaces"
}

main() {
  trap stop_jobs EXIT
  trap 'exit 130' INT TERM
  prepare_cluster
  if ((jobs == 1)); then whole "$times"; else lanes; fi
  say "killed $times times (seed $seed): whoever kills the validator leaves nothing broken"
}

main
