#!/usr/bin/env bash
# The gate on builds with one realistic mistake each: the check meant for it must refuse it, and no unrelated one.
# At last the good build, twice: without its own headers and /metrics, on which the verdict may not depend, and ready
# while it lacks a dependency, so that a total loss is judged through the Service.
# Usage: kind-selftest.sh [deaf|half-ready|late-deadline|no-flush|plain|degraded...]; none means all. GOLIVE_JOBS=2 does two at
# a time, each in a namespace of its own.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=cluster/gate.sh
source "$cluster_dir/gate.sh"

flaws=(deaf half-ready late-deadline no-flush)
jobs=${GOLIVE_JOBS:-1}
[[ $jobs =~ ^[12]$ ]] || die "GOLIVE_JOBS=$jobs" "1 or 2"

# codes FLAW WORD: the checks named in the flaw's file, `must` fail or `may` fail.
codes() { awk -v word="$2" '$1 == word { print $2 }' "$cluster_dir/selftest/$1.codes" | sort; }

# findings NAME: the checks that did not pass. Blockers without an answer count: they would hold a release up too.
findings() {
  jq -r '.checks[] | select(.outcome == "fail" or (.outcome == "inconclusive" and .severity == "blocker")) | .id' "$out/$1.json" | sort
}

# unexpected FLAW: what is not as its file says, a line each.
unexpected() {
  comm -23 <(codes "$1" must) <(findings "$1") | sed 's/^/not refused by /'
  comm -13 <({ codes "$1" must && codes "$1" may; } | sort) <(findings "$1") | sed 's/^/also refused by /'
}

# Whether the machine was in the way of a run: then it is done once more.
was_disturbed() { # NAME
  jq -e '[.checks[] | select((.struck // []) != [] or (.id == "GL-E101" and .outcome != "pass"))] != []' "$out/$1.json" >/dev/null
}

# The flaws in one step of helm: nothing but the image and the variable differs from the good build.
flawed() { # FLAW
  local wrong
  step "install users, $1" "cluster/kubectl -n $namespace describe pods" install_users \
    --set image.repository=golive/users-flawed --set "extraEnv[0].name=FLAW" --set "extraEnv[0].value=$1"
  gate "$1" "$repo_dir/golive.yaml" 1
  wrong=$(unexpected "$1")
  if [[ -n $wrong ]] && was_disturbed "$1"; then
    say "the gate on the $1 build was disturbed (${wrong//$'\n'/, }): once more"
    gate "$1" "$repo_dir/golive.yaml" 1
    wrong=$(unexpected "$1")
  fi
  [[ -z $wrong ]] || die "$1 build: ${wrong//$'\n'/, }" "jq . $out/$1.json; cluster/selftest/$1.codes"
  printf '    as expected, %s build: refused by %s\n' "$1" "$(findings "$1" | tr '\n' ' ')"
}

# No x- header, no /metrics.
plain() {
  step "install users without headers and metrics" "cluster/kubectl -n $namespace describe pods" install_users \
    --set "extraEnv[0].name=IDENTITY_HEADERS" --set-string "extraEnv[0].value=false" \
    --set "extraEnv[1].name=METRICS" --set-string "extraEnv[1].value=false"
  gate plain "$repo_dir/golive.yaml" 0
  expect_good plain
}

# Ready without a dependency, and declared so: both stores are optional.
degraded() {
  step "install users, ready while degraded" "cluster/kubectl -n $namespace describe pods" install_users --set readiness.postgres=optional,readiness.redis=optional
  sed 's/readiness: required/readiness: optional/' "$repo_dir/golive.yaml" >"$out/degraded.yaml"
  (($(grep -c 'readiness: optional' "$out/degraded.yaml") == 2)) || die "golive.yaml requires no two stores" "look at degraded() in $0"
  gate degraded "$out/degraded.yaml" 0
  expect_good degraded
  expect degraded '[.checks[] | select(.id == "GL-B211" and .outcome == "pass")] | length == 1' "a total loss is answered through the Service"
}

each() { # BUILD...
  local build
  prepare_namespace
  for build; do
    case $build in
      plain | degraded) "$build" ;;
      *) flawed "$build" ;;
    esac
  done
  step "uninstall users" "cluster/helm -n $namespace list" uninstall users
}

# lane NUMBER BUILD...: its builds in a namespace of its own, which goes with them.
lane() {
  trap stop_jobs EXIT
  namespace=selftest-$1
  validate=(env "KUBECONFIG=$(account_config "$namespace")" timeout)
  shift
  each "$@"
  kubectl_ delete namespace "$namespace" --wait=false
}

lanes() { # BUILD...
  local number at pids=() all=("$@") mine
  for ((number = 0; number < jobs; number++)); do
    mine=()
    for ((at = number; at < ${#all[@]}; at += jobs)); do mine+=("${all[at]}"); done
    ((${#mine[@]} > 0)) || continue
    in_lane "$number" lane "$number" "${mine[@]}"
    pids+=($!)
  done
  all_ended "${pids[@]}" || die "not every build came out as expected" "read what begins with the number of its lane"
}

main() {
  trap stop_jobs EXIT
  trap 'exit 130' INT TERM
  local build builds=("$@") known=" ${flaws[*]} plain degraded "
  (($#)) || read -ra builds <<<"$known"
  for build in "${builds[@]}"; do [[ $known == *" $build "* ]] || die "unknown build: $build" "one of:$known"; done
  prepare_cluster
  if ((jobs == 1)); then each "${builds[@]}"; else lanes "${builds[@]}"; fi
  say "kind-selftest passed in $SECONDS s; reports and evidence: golive-out/"
}

main "$@"
