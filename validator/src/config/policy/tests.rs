use super::GoLivePolicy;

fn policy(spec: &str) -> String {
    format!("apiVersion: golive.dev/v1alpha1\nkind: GoLivePolicy\nmetadata: {{ name: p }}\nspec:\n{spec}\n")
}

const WAIVER: &str = "  waivers:\n    - check: GL-B201\n      scope: { namespaces: [demo] }\n      reason: r\n      owner: o\n      approver: a\n      until: 2026-12-31";

#[test]
fn the_example_is_a_policy_and_a_printed_one_reads_back_as_itself() {
    let example = include_str!("../../../../examples/policy.yaml");
    for one in [GoLivePolicy::parse(example).unwrap(), GoLivePolicy::default()] {
        let printed = one.yaml().unwrap();
        let again = GoLivePolicy::parse(&printed).unwrap();
        assert_eq!(serde_json::to_value(&again).unwrap(), serde_json::to_value(&one).unwrap(), "{printed}");
        assert!(printed.contains("shutdownBudgetS: 25"), "every limit is printed: {printed}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_field_and_its_line() {
    GoLivePolicy::parse(&policy(WAIVER)).unwrap();
    let with = |from: &str, to: &str| policy(&WAIVER.replace(from, to));
    for (text, told, line) in [
        (with("GL-B201", "B201"), "expected the code of a check", "line 6"),
        (with("2026-12-31", "2026-13-31"), "expected a day", "line 11"),
        (with("reason: r", "reason: \"  \""), "it is empty", "line 8"),
        (with("owner: o", "ownr: o"), "did you mean `owner`", "line 9"),
        (with("\n      approver: a", ""), "missing field `approver`", "line 10"),
        (policy("  limits: { maxHiccupS: -1 }"), "maxHiccupS -1: expected a number from 0 on", "line 5"),
        (policy("  limits: { maxHiccupS: .inf }"), "maxHiccupS NaN: expected a number", "line 5"),
        (policy("  limits: { minOnTimeShare: 1.5 }"), "minOnTimeShare 1.5: expected a share", "line 5"),
        (policy("  limits: { maxHicupS: 1 }"), "did you mean `maxHiccupS`", "line 5"),
        (policy("  severity: { GL-B201: fatal }"), "unknown variant `fatal`", "line 5"),
        (policy("  defaults: { breaker: { errorRate: 2 } }"), "errorRate", "line 5"),
        (
            policy(
                "  questions:\n    - { id: a, ask: A, validForDays: 1 }\n    - { id: a, ask: B, validForDays: 1 }",
            ),
            "two questions have the id `a`",
            "line",
        ),
    ] {
        let error = GoLivePolicy::parse(&text).unwrap_err();
        assert!(error.contains(told) && error.contains(line), "{told}, {line}: {error}");
    }
}
