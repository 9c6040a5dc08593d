//! How commands are called, under their help.

pub(super) const RUN: &str = "Examples:
  validator run -f golive.yaml
  validator run deployment/users -n demo --get '/api/users/{1..1000}'
  validator run deployment/users -n demo --get /api/me --header @token.txt
  validator run -f golive.yaml --image registry.example.com/users:1.4.0 --report json=report.json
  validator run -f golive.yaml --part quick
  validator run -f golive.yaml --check GL-B218
  validator run -f golive.yaml --observe";

pub(super) const LOCAL: &str = "Examples:
  validator local -f golive.yaml -- ./users
  validator local --get '/api/users/{1..1000}' --postgres DATABASE_URL --redis REDIS_URL --seed users.sql -- ./users

Each copy gets PORT and MANAGEMENT_PORT, and the variables named for its dependencies; what it says goes to a file.";

pub(super) const PLAN: &str = "Examples:
  validator plan -f golive.yaml
  validator plan deployment/users -n demo --get '/api/users/{1..1000}' --rate 50
  validator plan -f golive.yaml --observe

It reads the target and its dependencies, and creates nothing.";

pub(super) const JUDGE: &str = "Examples:
  validator judge golive-out/users.evidence.zst --report html=report.html
  validator judge golive-out/users.evidence.zst --baseline accepted.json

With a baseline: exit 1 if anything that gates got worse or requests were lost, else 0, whatever had failed before.";

pub(super) const DIFF: &str = "Examples:
  validator diff last-release.json report.json
  validator diff golive-out/a.evidence.zst golive-out/b.evidence.zst

Exit codes: 1 if anything that gates got worse, else 0.";

pub(super) const INIT: &str = "Examples:
  validator init deployment/users -n demo
  validator init -f manifests/ --openapi openapi.yaml

It reads the deployment and the Services, and no Secret; it asks nothing, and says what it guessed.";

pub(super) const POLICY: &str = "Examples:
  validator policy print > policy.yaml
  validator policy check policy.yaml -f golive.yaml
  validator policy lint policy.yaml

A run is judged by it with `--policy policy.yaml`, and a saved one again: validator judge FILE --policy policy.yaml.";

pub(super) const VERIFY: &str = "Examples:
  validator verify registry.example.com/users@sha256:HEX --policy policy.yaml --report report.json
  validator verify users@sha256:HEX --policy policy.yaml --attestation report.intoto.json --key cosign.pub

Exit codes: 0 there is a GO, and it is not too old; 1 the last run says NO-GO; 3 nothing tells.";

pub(super) const LINT: &str = "Examples:
  validator lint manifests/
  helm template charts/service | validator lint -
  validator lint manifests/ --format sarif > lint.sarif
  helm template charts/service | validator lint - --name charts/service/values.yaml --format sarif

Exit codes: 1 if a blocker or major was found, else 0.";
