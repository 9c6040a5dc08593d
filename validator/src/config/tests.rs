//! The target file and its errors.

use super::{Breaker, GoLiveCheck, HeaderText, Liveness, MANAGEMENT_PORT, Method, PORT, RequestSpec};

const USERS: &str = include_str!("../../../golive.yaml");

#[test]
fn the_shipped_target_file_is_valid() {
    let check = GoLiveCheck::parse(USERS).unwrap();
    assert_eq!(check.spec.target.deployment, "users");
    assert_eq!(check.spec.dependencies.len(), 4);
}

#[test]
fn an_unknown_key_is_an_error_with_its_line_and_the_nearest_name() {
    let slips = [
        ("readiness:", "readyness:", "readiness"),
        ("traffic:", "trafic:", "traffic"),
        ("weight:", "wieght:", "weight"),
        ("openFor:", "open_for:", "openFor"),
        ("protocol: redis", "protocol: rediss", "redis"),
    ];
    for (right, wrong, meant) in slips {
        let error = GoLiveCheck::parse(&USERS.replace(right, wrong)).unwrap_err();
        assert!(error.contains("line"), "{error}");
        assert!(error.contains(&format!("did you mean `{meant}`?")), "{error}");
    }
}

/// The file with one request in place of the POST.
fn with_request(yaml: &str) -> Result<GoLiveCheck, String> {
    let begin = USERS.find("      - post:").unwrap();
    let end = USERS.find("  dependencies:").unwrap();
    GoLiveCheck::parse(&format!("{}      - {yaml}\n{}", &USERS[..begin], &USERS[end..]))
}

#[test]
fn every_method_is_a_key_and_a_plan_reads_back_what_it_wrote() {
    for method in Method::ALL {
        let name = method.name();
        let body = if method.is_safe() { "" } else { ", form: { q: \"{uuid}\" }" };
        let yaml = format!(
            "{{ {name}: /x, headers: {{ Accept: text/html, authorization: {{ secretKeyRef: {{ name: t, key: k }} }} }}, expect: [200, 404], port: admin{body} }}"
        );
        let check = with_request(&yaml).unwrap();
        let written = serde_json::to_value(check.spec.traffic.requests.last().unwrap()).unwrap();
        let again: RequestSpec = serde_json::from_value(written.clone()).unwrap();
        assert_eq!(again.method, method);
        assert_eq!(serde_json::to_value(&again).unwrap(), written);
        assert_eq!(written["headers"]["authorization"]["secretKeyRef"]["key"], "k");
        assert_eq!(written["headers"]["accept"], "text/html");
    }
}

#[test]
fn a_request_that_cannot_be_right_is_refused_with_its_line() {
    let cases = [
        ("{ get: /, post: / }", "exactly one method"),
        ("{ weight: 2 }", "exactly one method"),
        ("{ get: /, json: {} }", "no body"),
        ("{ post: /, json: {}, body: x }", "at most one of"),
        ("{ get: /, expect: [] }", "at least one status"),
        ("{ get: /, expect: [99] }", "final status"),
        ("{ get: /, port: 0 }", "1 to 65535"),
        ("{ get: /, headers: { traceparent: x } }", "set by the load itself"),
        ("{ get: /, headers: { 'a b': x } }", "no name of a header"),
        ("{ get: /, headers: { authorization: Bearer x } }", "secretKeyRef"),
        ("{ get: /, headers: { x: { file: f, secretKeyRef: { name: n, key: k } } } }", "one of"),
    ];
    for (wrong, told) in cases {
        let error = with_request(wrong).unwrap_err();
        assert!(error.contains(told) && error.contains("line"), "{wrong}: {error}");
    }
}

#[test]
fn a_header_may_come_from_a_file_beside_the_target_file() {
    let mut check = with_request("{ get: /, headers: { authorization: { file: token } } }").unwrap();
    check.start_at(std::path::Path::new("gates"));
    let headers = &check.spec.traffic.requests.last().unwrap().headers;
    let file = "gates/token".into();
    assert_eq!(headers["authorization"], HeaderText::File { file });
}

/// The file with this breaker in place of its own.
fn with_breaker(keys: &str) -> Result<GoLiveCheck, String> {
    GoLiveCheck::parse(&USERS.replace("errorRate: 0.5, window: 10s, minCalls: 10", keys))
}

#[test]
fn three_kinds_of_breaker_are_known_and_their_keys_are_not_mixed() {
    let kinds = [
        "consecutiveFailures: 5",
        "countWindow: 20, errorRate: 0.5, minCalls: 10",
        "countWindow: 20, errorRate: 0.5",
        "errorRate: 0.5, window: 10s, minCalls: 10, perProcess: 4",
    ];
    for kind in kinds {
        let check = with_breaker(kind).unwrap();
        let breaker = check.spec.dependencies[0].breaker.clone().unwrap();
        let written = serde_json::to_value(&breaker).unwrap();
        let again: Breaker = serde_json::from_value(written).unwrap();
        assert_eq!((again.opens, again.per_process), (breaker.opens, breaker.per_process), "{kind}");
    }
    let mixed = [
        ("consecutiveFailures: 5, errorRate: 0.5", "`errorRate`, `consecutiveFailures` together"),
        ("countWindow: 20, window: 10s, errorRate: 0.5", "`window`, `countWindow` together"),
        ("errorRate: 0.5", "`errorRate` alone"),
        ("perProcess: 2", "nothing says when it opens"),
        ("consecutiveFailures: 0", "expected 1 to"),
        ("countWindow: 5, errorRate: 0.5, minCalls: 6", "at most countWindow 5"),
        ("consecutiveFailures: 5, perProcess: 0", "perProcess 0"),
    ];
    for (keys, told) in mixed {
        let error = with_breaker(keys).unwrap_err();
        assert!(error.contains(told) && error.contains("line"), "{keys}: {error}");
    }
}

#[test]
fn a_path_that_cannot_be_asked_for_is_refused_with_its_line() {
    for wrong in ["api/users/{1..9}", "/api users", "http://users/api"] {
        let error = GoLiveCheck::parse(&USERS.replace("post: /api/users", &format!("post: \"{wrong}\"")));
        let error = error.unwrap_err();
        assert!(error.contains(wrong) && error.contains("line"), "{error}");
    }
}

#[test]
fn a_rate_of_zero_is_refused_with_its_line() {
    let error = GoLiveCheck::parse(&USERS.replace("rate: 200", "rate: 0")).unwrap_err();
    assert!(error.contains("rate") && error.contains("line"), "{error}");
}

#[test]
fn a_breaker_that_cannot_be_judged_is_refused_with_its_line() {
    let cases = [
        ("errorRate: 0.5", "errorRate: 50", "up to 1"),
        ("errorRate: 0.5", "errorRate: 0", "up to 1"),
        ("window: 10s", "window: 2h", "1s to 60s"),
        ("deadline: 3s", "deadline: 9500ms", "at most 9s"),
        ("deadline: 3s", "deadline: 1e30s", "at most 24h"),
        ("openFor: 30s", "openFor: 1e30s", "at most 24h"),
        ("openFor: 30s", "openFor: 10m", "at most 300s"),
        ("openFor: 30s", "openFor: 5s", "at least 7.6s"),
        ("trials: 1", "trials: 0", "at least 1"),
    ];
    for (right, wrong, told) in cases {
        let error = GoLiveCheck::parse(&USERS.replace(right, wrong)).unwrap_err();
        assert!(error.contains(told) && error.contains("line"), "{wrong}: {error}");
    }
    assert!(GoLiveCheck::parse(&USERS.replace("openFor: 30s", "openFor: 8s")).is_ok());
}

#[test]
fn a_dependency_has_its_name_and_its_service_for_itself() {
    for (right, wrong) in [("name: redis", "name: postgres"), ("service: redis", "service: postgres")] {
        let error = GoLiveCheck::parse(&USERS.replace(right, wrong)).unwrap_err();
        assert!(error.contains("two dependencies") && error.contains("line"), "{error}");
    }
}

/// Each example of the documentation, in the place that it is for.
#[test]
fn every_example_of_the_documentation_is_valid() {
    const DOCUMENT: &str = include_str!("../../../docs/target-file.md");
    let examples: Vec<&str> =
        DOCUMENT.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect();
    let whole = |section: &str| format!("{}\n", section.trim_end());
    let spec = "apiVersion: golive.dev/v1alpha1\nkind: GoLiveCheck\nmetadata: { name: n }\nspec:\n  target: { deployment: d }\n";
    let indented =
        |example: &str, by: &str| example.lines().flat_map(|line| [by, line, "\n"]).collect::<String>();
    let mut parsed = [0; 4];
    for example in examples {
        let (kind, text) = if example.starts_with("requests:") {
            (1, format!("{spec}  traffic:\n{}", indented(example, "    ")))
        } else if example.starts_with("dependencies:") {
            (2, format!("{spec}  traffic: {{ requests: [{{ get: / }}] }}\n{}", indented(example, "  ")))
        } else if example.starts_with("local:") {
            (3, format!("{spec}  traffic: {{ requests: [{{ get: / }}] }}\n{}", indented(example, "  ")))
        } else {
            (0, whole(example))
        };
        GoLiveCheck::parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        parsed[kind] += 1;
    }
    assert_eq!(parsed, [1, 1, 1, 1]);
}

#[test]
fn what_is_tried_on_this_machine_is_declared_as_a_process_can_be() {
    let try_it = GoLiveCheck::parse(include_str!("../../../examples/try.yaml")).unwrap().spec.local;
    assert_eq!(try_it.dependencies["postgres"].variable, "DATABASE_URL");
    assert_eq!((try_it.port.as_str(), try_it.replicas), ("PORT", 3), "what is not said");
    let readiness = try_it.readiness.unwrap().probe();
    assert_eq!((readiness.period_s, readiness.failure_threshold, readiness.port()), (2, 2, Some(PORT)));
    assert_eq!(try_it.liveness.declared().unwrap().probe().port(), Some(MANAGEMENT_PORT));
    let bare = GoLiveCheck::parse(include_str!("../../../examples/try-bare.yaml")).unwrap().spec.local;
    assert!(bare.readiness.is_none() && matches!(bare.liveness, Liveness::None), "null is none, and said");
    let full = include_str!("../../../examples/try-full.yaml");
    assert_eq!(GoLiveCheck::parse(full).unwrap().spec.local.liveness.declared().unwrap().period_seconds, 10);
    let error = GoLiveCheck::parse(&full.replace("periodSeconds", "periodSecond")).unwrap_err();
    assert!(error.contains("periodSeconds") && error.contains("line"), "{error}");
}
