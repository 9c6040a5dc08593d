#!/usr/bin/env bash
# The operator in the kind cluster: the good and the bare build get their verdicts, the same image no second run and another one its own, an
# operator that is killed finds its run again, and a check that is deleted in mid-run leaves the template as it was. Then the webhook: what has no GO stays out.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=cluster/gate.sh
source "$cluster_dir/gate.sh"
# shellcheck source=cluster/operator.sh
source "$cluster_dir/operator.sh"

runs_of() { kubectl_ -n "$namespace" get goliveruns -l "golive.dev/check=$1" -o name | wc -l; }

# Not kubectl_, which is given a minute: a run takes seven.
complete() { # CHECK
  timeout 1800 "$cache/bin/kubectl" --kubeconfig "$kubeconfig" --context "$context" -n "$namespace" \
    wait --for=condition=Complete "golivecheck/$1" --timeout=29m
}

# verdict CHECK FILE VERDICT: applies a target file and waits for what is found.
verdict() {
  kubectl_ -n "$namespace" apply -f "$2"
  complete "$1"
  [[ $(check "$1" '{.status.verdict}') == "$3"* ]]
}

# The same candidate is run once, whatever is written on its deployment from outside of the template.
no_second_run() { # CHECK
  local before
  before=$(runs_of "$1")
  kubectl_ -n "$namespace" annotate deployment "$1" golive.test/touched="$SECONDS" --overwrite
  sleep 60
  [[ $(runs_of "$1") == "$before" ]]
}

observed_as() { [[ $(condition "$1" Observed) == "$2" ]]; }
generation() { kubectl_ -n "$namespace" get deployment "$1" -o jsonpath='{.metadata.generation}'; }

# What is due looks on: the verdict stays that of the proof, and nobody writes the deployment.
observed() {
  local generation proof
  generation=$(generation users) proof=$(check users '{.status.run}')
  kubectl_ -n "$namespace" patch golivecheck users --type=merge -p '{"spec":{"always":{"every":"1m","plan":"observe"}}}'
  await 600 observed_as users AsProven
  kubectl_ -n "$namespace" patch golivecheck users --type=merge -p '{"spec":{"always":null}}'
  await 600 runs_ended users
  await 60 nothing_ours
  [[ $(generation users) == "$generation" && $(check users '{.status.run}') == "$proof" && -z $(left_over) ]]
}

# Each run of a check, also one whose Job is not there yet.
runs_ended() { kubectl_ -n "$namespace" get goliveruns -l "golive.dev/check=$1" -o json | jq -e 'all(.items[]; .status.phase == "Ended")'; }

running() { [[ -n $(kubectl_ -n "$namespace" get jobs -l "golive.dev/check=$1" -o jsonpath='{.items[?(@.status.active==1)].metadata.name}') ]]; }

# Another candidate: the same program, under a digest of its own.
another_image() { # IMAGE
  timeout 120 docker build --quiet -t "$1" - <<<"FROM golive/users:0.1.0
LABEL golive.test=another"
  "$cluster_dir/load.sh" "$1"
}

# Its Job is active, and the status tells so.
under_way() { running "$1" && [[ $(condition "$1" Complete) == Running ]]; }

killed_operator() {
  local before began
  before=$(runs_of users)
  another_image golive/users:another
  kubectl_ -n "$namespace" set image deployment/users users=golive/users:another
  await 300 under_way users
  began=$(check users '{.status.run}')
  kubectl_ -n golive delete pod -l app.kubernetes.io/name=golive-operator --grace-period=0 --force
  complete users
  [[ $(check users '{.status.run} {.status.candidate}') == "$began golive/users:another" && $(runs_of users) == $((before + 1)) ]]
  [[ $(check users '{.status.verdict}') == GO* ]]
}

# A run that is aborted ends without a verdict, gives back, and is not begun again; the GO of before stays.
aborted() {
  local run before
  before=$(runs_of users)
  kubectl_ -n "$namespace" annotate golivecheck users golive.dev/run="$SECONDS" --overwrite
  await 300 under_way users
  run=$(check users '{.status.run}')
  of_their_shape "$run"
  kubectl_ -n "$namespace" annotate golivecheck users golive.dev/abort="$run" --overwrite
  await 60 aborted_told "$run"
  await 180 without_pods "$run"
  await 60 clean
  sleep 30
  [[ $(check users '{.status.verdict}') == GO* && $(condition users Complete) == RunEnded && $(runs_of users) == $((before + 1)) ]]
}

aborted_told() { [[ $(kubectl_ -n "$namespace" get goliverun "$1" -o jsonpath='{.status.phase} {.status.message}') == "Ended aborted" ]]; }
without_pods() { [[ -z $(kubectl_ -n "$namespace" get pods -l "job-name=$1" -o name) ]]; }

# The API server says so: a run is never another one, a check has a target, and the name of the built-in policy is taken.
of_their_shape() { # RUN
  refused 'is the built-in policy' kubectl_ apply -f - <<<'{apiVersion: golive.dev/v1alpha1, kind: GoLivePolicy, metadata: {name: default}, spec: {}}'
  refused 'a run is never another one' kubectl_ -n "$namespace" patch goliverun "$1" --type=merge -p '{"spec":{"templateHash":"another"}}'
  refused 'spec.target' kubectl_ -n "$namespace" patch golivecheck users --type=merge -p '{"spec":{"target":null}}'
}

# refused WORDS COMMAND...: it fails, with these words.
refused() {
  local words=$1 told
  shift
  if told=$("$@" 2>&1); then return 1; fi
  printf '%s\n' "$told"
  [[ $told == *"$words"* ]]
}

template() { kubectl_ -n "$namespace" get deployment users -o jsonpath='{.spec.template.spec}'; }
led() { [[ $(template) == *agent.golive.invalid* ]]; }

# Nothing of a run on the deployment and in the namespace; fails also where nothing can be asked.
clean() {
  local now
  now=$(template) && [[ -n $now && $now != *agent.golive.invalid* ]] && nothing_ours
}

# nothing_kept CHECK: its objects are gone as well.
nothing_kept() {
  local kept
  kept=$(kubectl_ -n "$namespace" get goliveruns,jobs,configmaps -l "golive.dev/check=$1" -o name) && [[ -z $kept ]]
}

deleted_check() {
  local before
  before=$(template)
  kubectl_ -n "$namespace" annotate golivecheck users golive.dev/run="$SECONDS" --overwrite
  await 600 led
  kubectl_ -n "$namespace" delete golivecheck users --wait
  await 600 clean
  await 180 nothing_kept users
  [[ $(template) == "$before" ]]
}

closed_namespace() {
  install_admission
  kubectl_ delete namespace closed --ignore-not-found --timeout=50s
  close_namespace closed
  # The API server takes a moment to heed a new webhook.
  await 60 denied unknown "$unknown_image" 'none of'
}

# denied NAME IMAGE WORDS: it stays out, and whoever brought it is told these.
denied() {
  local told
  if told=$(bring closed "$1" "$2" 2>&1); then
    kubectl_ -n closed delete deployment "$1"
    return 1
  fi
  printf '%s\n' "$told"
  [[ $told == *"denied the request"* && $told == *"$3"* ]]
}

digest() { # CHECK
  local named
  named=$(check "$1" '{.status.digest}')
  [[ $named == *@sha256:* ]] && printf 'sha256:%s' "${named##*@sha256:}"
}

good_admitted() {
  bring closed users "users@$(digest users)"
  # By a tag the same is denied, and so is what no run knows.
  denied tagged golive/users:0.1.0 'a tag'
  denied unknown "$unknown_image" 'this would prove it'
}

# A run of 40 days ago about another digest, as the operator would have kept it.
expired_denied() {
  local name report old
  name=$(check users '{.status.run}')
  old=sha256:$(printf 'a%.0s' {1..64})
  report=$(kubectl_ -n "$namespace" get configmap "$name-report" -o json | jq -r '.binaryData["report.json.gz"]' | base64 -d | gunzip |
    jq -c --arg old "$old" --arg ended "$(date -u -d '40 days ago' +%FT%TZ)" '.identity.digest = "users@" + $old | .identity.ended = $ended' | gzip | base64 -w0)
  kubectl_ -n "$namespace" apply -f - <<<"{apiVersion: v1, kind: ConfigMap, metadata: {name: of-old-report}, binaryData: {report.json.gz: $report}}"
  kubectl_ -n "$namespace" apply -f - <<<"{apiVersion: golive.dev/v1alpha1, kind: GoLiveRun, metadata: {name: of-old, labels: {golive.dev/check: of-old}}, spec: {check: of-old, templateHash: x}}"
  kubectl_ -n "$namespace" patch goliverun of-old --subresource=status --type=merge -p '{"status":{"phase":"Ended","verdict":"GO","report":"of-old-report"}}'
  await 30 denied aged "users@$old" 'was good until'
  kubectl_ -n "$namespace" delete goliverun/of-old configmap/of-old-report
}

# How many answers both copies of the webhook count as a broken glass.
glasses() {
  local pod
  for pod in $(kubectl_ -n golive get pods -l app.kubernetes.io/name=golive-admission -o jsonpath='{.items[*].metadata.name}'); do
    metrics_of "$pod"
  done | awk '/^golive_admission_answers_total.*break-glass/ { sum += $NF } END { print sum + 0 }'
}

glass_broken() {
  break_glass closed INC-7
  kubectl_ -n closed get events --field-selector reason=BreakGlass -o json |
    jq -e '[.items[] | select(.involvedObject.name == "glass" and (.message | test("broke the glass: INC-7")))] | length == 1'
  (($(glasses) == 1))
}

# The next change of it is refused, and the patch that the refusal names brings it, with another reason.
update_patched() {
  local told patch
  if told=$(kubectl_ -n closed set image deployment/glass "users=users@sha256:$(printf '1%.0s' {1..64})" 2>&1); then return 1; fi
  printf '%s\n' "$told"
  patch=$(sed -n "s/^ *kubectl -n closed patch deployment glass -p '\(.*\)'\$/\1/p" <<<"$told")
  kubectl_ -n closed patch deployment glass -p "${patch/WHY/INC-8}"
}

bare_denied() { await 30 denied bare "users@$(digest users-bare)" 'NO-GO by run'; }

main() {
  trap stop_jobs EXIT
  trap 'exit 130' INT TERM
  prepare_cluster
  mkdir -p "$out"
  # No account of ours: the chart makes the one that runs have, in each namespace.
  kubectl_ -n "$namespace" delete serviceaccount,role,rolebinding golive-validator --ignore-not-found
  step "install the backends in $namespace" "cluster/kubectl -n $namespace describe pods" install_backends
  step "install the operator" "cluster/kubectl -n golive logs deploy/golive-operator" install_operator
  step "install users and orders" "cluster/kubectl -n $namespace describe pods" install_users
  step "the good build is GO" "cluster/kubectl -n $namespace get glc,glr,jobs" verdict users "$repo_dir/golive.yaml" GO
  step "it is not run again" "cluster/kubectl -n $namespace get glr" no_second_run users
  step "what is due looks on, and changes nothing" "cluster/kubectl -n $namespace get glc,glr,jobs" observed
  step "a new image is run, and the operator killed in mid-run" "cluster/kubectl -n $namespace get glc,glr,jobs" killed_operator
  step "install the webhook" "cluster/kubectl -n golive logs deploy/golive-admission" closed_namespace
  step "the good build comes into a closed namespace" "cluster/kubectl -n golive logs deploy/golive-admission" good_admitted
  step "a GO that has ended lets nobody in" "cluster/kubectl -n golive logs deploy/golive-admission" expired_denied
  step "a broken glass is recorded" "cluster/kubectl -n closed get events" glass_broken
  step "a refused update comes in by the patch that it names" "cluster/kubectl -n closed get events" update_patched
  step "without the webhook everything comes in" "cluster/kubectl -n golive get pods" without_admission closed
  step "a run that is aborted" "cluster/kubectl -n $namespace get glc,glr,jobs" aborted
  step "a check deleted in mid-run" "cluster/kubectl -n $namespace get all -l golive.dev/run" deleted_check
  step "uninstall users" "cluster/helm -n $namespace list" uninstall users
  step "install the bare build" "cluster/kubectl -n $namespace describe pods" install_bare
  step "the bare build is NO-GO" "cluster/kubectl -n $namespace get glc,glr,jobs" verdict users-bare "$cluster_dir/bare.golive.yaml" NO-GO
  step "NO-GO is not repeated" "cluster/kubectl -n $namespace get glr" no_second_run users-bare
  step "the bare build stays out of a closed namespace" "cluster/kubectl -n golive logs deploy/golive-admission" bare_denied
  kubectl_ -n "$namespace" delete golivecheck users-bare --wait
  kubectl_ delete namespace closed --wait=false
  step "uninstall users-bare" "cluster/helm -n $namespace list" uninstall users-bare
  uninstall_operator
  say "the operator: all as it should be"
}

main
