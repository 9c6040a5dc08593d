//! Each format of a report tells each waiver.

use std::fs;

use golive_validator::check::{Check, Outcome};
use golive_validator::checks::{ALL, find};
use golive_validator::judge::judge;
use golive_validator::plan::Waivers;
use golive_validator::report::{CheckLine, Format, Report, WaiverState};
use serde_json::{Value, json};

use super::{bare, fixture, parsed, run, states, waiver};

/// A waiver of the bare run with a name of its own, and what becomes of it.
struct Told {
    check: String,
    state: WaiverState,
    name: &'static str,
    until: &'static str,
}

impl Told {
    fn waiver(&self) -> Value {
        let Self { check, name, until, .. } = self;
        json!({
            "check": check, "scope": { "namespaces": ["demo"], "deployments": ["users-*"] },
            "reason": format!("{name} waits for <SHOP-1>"), "owner": format!("team-{name}"),
            "approver": format!("sre-{name}"), "until": until
        })
    }

    /// Whether a report says of it which check, what became of it, why, and who answers for it, one beside the other.
    fn is_in(&self, format: Format, text: &str) -> bool {
        let Self { check, state, name, until } = self;
        let words = format!(
            "{name} waits for <SHOP-1> (for demo/users-* until {until}; owner team-{name}, approved by sre-{name})"
        );
        let has = |line: String| text.contains(&line);
        match format {
            Format::Terminal => has(format!("{check} {state} {words}")),
            Format::Junit => has(format!("name=\"waiver {check}\" value=\"{state}: {words}\"")),
            Format::Markdown => has(format!("- `{check}` **{state}**: {}", words.replace('*', "\\*"))),
            Format::Html => has(format!(
                ">{check}</th><td>{state}</td><td>{name} waits for <SHOP-1></td><td>demo/users-*</td><td>team-{name}</td>"
            )),
            Format::Json => self.is_among(&parsed(text)["waivers"]),
            Format::Sarif => self.is_among(&parsed(text)["runs"][0]["properties"]["waivers"]),
            Format::Otlp => {
                let root = parsed(text)["resourceSpans"][0]["scopeSpans"][0]["spans"][0].clone();
                root["events"].as_array().unwrap().iter().any(|event| self.is_event(event))
            }
        }
    }

    fn is_among(&self, all: &Value) -> bool {
        let mut mine = self.waiver();
        mine["state"] = json!(self.state);
        all.as_array().unwrap().contains(&mine)
    }

    fn is_event(&self, event: &Value) -> bool {
        let mine = self.waiver();
        let says = |key: &str, word: &Value| {
            let attributes = event["attributes"].as_array().unwrap();
            attributes.iter().any(|one| {
                one["key"] == format!("golive.waiver.{key}") && one["value"]["stringValue"] == *word
            })
        };
        event["name"] == format!("waiver {} {}", self.check, self.state)
            && says("state", &json!(self.state))
            && ["check", "reason", "owner", "approver", "until"].into_iter().all(|key| says(key, &mine[key]))
    }
}

/// One that waives, one of a check that passes, and one that has ended.
fn told() -> [Told; 3] {
    let report = bare(&json!({}));
    let passes = |line: &&CheckLine| {
        line.finding.outcome == Outcome::Pass && find(&line.id).is_some_and(Check::can_be_waived)
    };
    let passes = report.checks.iter().find(passes).unwrap().id.clone();
    let one = |check: &str, state, name, until| Told { check: check.to_owned(), state, name, until };
    [
        one("GL-B201", WaiverState::Used, "kiwi", "2027-01-01"),
        one(&passes, WaiverState::Unused, "plum", "2027-02-02"),
        one("GL-H001", WaiverState::Expired, "mango", "2020-03-03"),
    ]
}

fn written(report: &Report, format: Format) -> String {
    let mut out = Vec::new();
    report.write(format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Holds each format of a report to its waivers.
fn all_are_told(report: &Report, waivers: &[Told]) {
    for format in Format::ALL {
        let text = written(report, format);
        let is_markup = matches!(format, Format::Html | Format::Markdown | Format::Junit);
        assert!(!is_markup || !text.contains("<SHOP-1>"), "{format:?} takes it for markup");
        let text = anstream::adapter::strip_str(&text).to_string();
        let text = text.replace("&lt;", "<").replace("&gt;", ">");
        // Of texts in columns a word may stand on the next line.
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for one in waivers {
            assert!(one.is_in(format, &text), "{format:?} does not tell of {} as {}", one.check, one.state);
        }
    }
}

#[test]
fn every_format_of_the_report_tells_every_waiver_with_its_state_and_who_answers_for_it() {
    let told = told();
    let waivers: Vec<Value> = told.iter().map(Told::waiver).collect();
    let mut evidence = run("bare.evidence.zst", &json!({ "waivers": waivers }));
    let report = judge(&evidence, ALL);
    assert_eq!(states(&report), told.each_ref().map(|one| one.state));
    all_are_told(&report, &told);
    evidence.header.plan.waivers = Waivers::Ignored;
    let report = judge(&evidence, ALL);
    assert_eq!(states(&report), [WaiverState::Ignored; 3]);
    all_are_told(&report, &told.map(|one| Told { state: WaiverState::Ignored, ..one }));
}

#[test]
fn sarif_gives_the_words_of_the_waiver_that_waived() {
    let mut before = waiver("GL-B201", "2020-01-01");
    before["owner"] = json!("team-before");
    let report = bare(&json!({ "waivers": [before, waiver("GL-B201", "2027-01-01")] }));
    assert_eq!(states(&report), [WaiverState::Expired, WaiverState::Used]);
    let sarif = sarif(&report);
    let waived =
        sarif["results"].as_array().unwrap().iter().find(|result| result["ruleId"] == "GL-B201").unwrap();
    let suppression = &waived["suppressions"][0];
    assert_eq!(suppression["kind"], "external", "{waived}");
    assert!(suppression["justification"].as_str().unwrap().contains("owner team-shop"), "{waived}");
}

#[test]
fn a_comment_tells_all_waivers_or_how_many_it_has_no_room_for() {
    let comment = |waivers: usize| {
        let mut long = waiver("GL-B201", "2027-01-01");
        long["reason"] = json!("x".repeat(500));
        let text = written(&bare(&json!({ "waivers": vec![long; waivers] })), Format::Markdown);
        assert!(text.chars().count() <= 65_536, "{}", text.chars().count());
        (text.matches("; owner team-shop, approved by sre)").count(), text)
    };
    assert_eq!(comment(40).0, 40);
    let (told, text) = comment(200);
    assert!(told < 200, "{told}");
    assert!(text.contains(&format!("- {} more waivers had no room here", 200 - told)), "{told}");
}

fn sarif(report: &Report) -> Value {
    let log = parsed(&written(report, Format::Sarif));
    let schema = fs::read_to_string(fixture("sarif-2.1.0.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&serde_json::from_str(&schema).unwrap()).unwrap();
    let wrong: Vec<String> = validator.iter_errors(&log).map(|e| e.to_string()).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    log["runs"][0].clone()
}
