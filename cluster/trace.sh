#!/usr/bin/env bash
# Sends one sampled request for a user's orders through the Service and prints its trace from Jaeger as text.
# shellcheck source=cluster/lib.sh
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

namespace=demo
trace=$(tr -dc 0-9a-f </dev/urandom | head -c 32 || true)
parent=$(tr -dc 0-9a-f </dev/urandom | head -c 16 || true)

# forward SERVICE LOCAL REMOTE: until we exit.
forward() {
  "$cluster_dir/kubectl" -n "$namespace" port-forward "svc/$1" "$2:$3" >"$cache/log/forward-$1.log" 2>&1 &
  await 15 curl -s -o /dev/null --max-time 2 "http://127.0.0.1:$2/"
}

spans() {
  curl -sf --max-time 5 "http://127.0.0.1:26686/api/traces/$trace" |
    jq -e '.data[0] | select((.spans | length) >= 6)' >"$cache/run/trace.json"
}

# One line a span: indent by depth, time from the start, duration, service and version, attributes that tell something.
waterfall() {
  jq -r '
    . as $t | ([.spans[].startTime] | min) as $zero
    | (reduce .spans[] as $s ({}; .[$s.spanID] = $s)) as $by
    | def parent: [.references[]? | select(.refType == "CHILD_OF") | .spanID][0];
      def depth: . as $s | ($s | parent) as $p | if $p and $by[$p] then 1 + ($by[$p] | depth) else 0 end;
      def path: . as $s | ($s | parent) as $p | (if $p and $by[$p] then ($by[$p] | path) else [] end) + [.startTime];
      def tag($k): [.tags[] | select(.key == $k) | .value][0];
      def ms($us): ($us / 10 | round / 100 | tostring) + " ms";
      def pad($n): . + (" " * ([$n - length, 0] | max));
      .spans | sort_by(path)[]
      | . as $s | $t.processes[.processID] as $p
      | ((("  " * depth) + .operationName) | pad(38))
        + (("+" + ms(.startTime - $zero)) | pad(11)) + (ms(.duration) | pad(11))
        + ($p.serviceName + " " + ([$p.tags[] | select(.key == "service.version") | .value][0] // "?"))
        + ([ "db.system.name", "http.response.status_code", "app.user.id", "app.cache.outcome" ]
           | map(. as $k | ($s | tag($k)) as $v | select($v != null) | "  " + $k + "=" + ($v | tostring)) | join(""))
  ' "$cache/run/trace.json"
}

trap stop_jobs EXIT
forward users 28080 8080
forward jaeger-query 26686 16686
curl -sf --max-time 5 -H "traceparent: 00-$trace-$parent-01" http://127.0.0.1:28080/api/users/5/orders >/dev/null ||
  die "users does not answer" "cluster/kubectl -n $namespace get pods"
await 20 spans || die "Jaeger does not have the whole trace $trace" "cluster/kubectl -n $namespace logs deployment/jaeger"
echo "trace $trace, caller's span $parent"
waterfall
