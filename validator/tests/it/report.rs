//! One evidence file through every renderer; each result is held to what its readers hold it to.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use golive_validator::check::{Case, Finding, Outcome};
use golive_validator::checks::ALL;
use golive_validator::evidence;
use golive_validator::judge::judge;
use golive_validator::report::{Depth, Format, Report, schema};
use serde_json::{Value, from_str};

use crate::harness::six_million;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn report(name: &str) -> Report {
    judge(&evidence::read(&fixture(&format!("{name}.evidence.zst"))).unwrap(), ALL)
}

fn rendered(report: &Report, format: Format) -> String {
    let mut out = Vec::new();
    report.write(format, &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Checks that gate and failed.
fn failures(report: &Report) -> usize {
    report.checks.iter().filter(|line| line.is_gating_failure()).count()
}

/// A report whose every check failed in a thousand ways, with markup and control characters in what services say.
fn worst() -> Report {
    let mut report = report("bare");
    for line in &mut report.checks {
        let text = "<script>alert(1)</script> | `@everyone` \u{1b}[31m ]]> &amp; ".repeat(4);
        let cases = (0..1_000).map(|at| Case::at(at, format!("{at} {text}"), 2));
        line.finding = Finding::unless(cases, "").counted(format!("of 1000: {text}"));
    }
    report
}

#[test]
fn the_json_report_is_what_its_published_schema_says() {
    let published: Value =
        from_str(&fs::read_to_string(root().join("docs/report.schema.json")).unwrap()).unwrap();
    assert_eq!(published, serde_json::to_value(schema()).unwrap(), "run `make generate`");
    let validator = jsonschema::draft202012::new(&published).unwrap();
    for report in [report("good"), report("bare"), worst()] {
        let mut value: Value = from_str(&rendered(&report, Format::Json)).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(errors.is_empty(), "{errors:?}");
        value["verdict"] = "MAYBE".into();
        assert!(!validator.is_valid(&value), "a schema that holds for everything says nothing");
    }
}

#[test]
fn the_json_report_names_what_the_verdict_is_about() {
    let value: Value = from_str(&rendered(&report("good"), Format::Json)).unwrap();
    let identity = &value["identity"];
    assert_eq!(value["schema"], "golive.dev/report/v1");
    assert!(identity["digest"].as_str().unwrap().contains("sha256:"), "{identity}");
    assert_eq!((&identity["policy"], &identity["image"]), (&"default".into(), &"golive/users:0.1.0".into()));
    let moment = |name: &str| identity[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert!(moment("began") < moment("ended"), "{identity}");
    let hash = identity["template_hash"].as_str().unwrap();
    let pod = report("good").course.pods.last().unwrap().name.clone();
    assert!(hash.len() >= 8 && pod.contains(hash), "{pod} is what is to stay, and not of {hash}");
}

#[test]
fn sarif_keeps_to_its_schema_and_tells_failures_as_errors() {
    let text = fs::read_to_string(fixture("sarif-2.1.0.schema.json")).unwrap();
    let validator = jsonschema::validator_for(&from_str(&text).unwrap()).unwrap();
    for report in [report("good"), report("bare"), worst()] {
        let value: Value = from_str(&rendered(&report, Format::Sarif)).unwrap();
        let wrong: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
        let run = &value["runs"][0];
        assert_eq!(run["tool"]["driver"]["rules"].as_array().unwrap().len(), ALL.len());
        let level = |result: &&Value| result["level"] == "error";
        let found = run["results"].as_array().unwrap().iter().filter(level).count();
        assert_eq!(found, failures(&report));
    }
}

#[test]
fn junit_has_a_case_per_check_and_counts_as_the_verdict_does() {
    for report in [report("good"), report("bare")] {
        let read = quick_junit::Report::deserialize_from_str(&rendered(&report, Format::Junit)).unwrap();
        let sum = |of: fn(&quick_junit::TestSuite) -> usize| read.test_suites.iter().map(of).sum::<usize>();
        let open = report.checks.iter().filter(|line| line.finding.outcome == Outcome::Inconclusive).count();
        assert_eq!(read.test_suites.len(), 6);
        assert_eq!(
            (sum(|s| s.tests), sum(|s| s.failures), sum(|s| s.errors)),
            (ALL.len(), failures(&report), open)
        );
    }
    assert!(failures(&report("bare")) > 9);
    quick_junit::Report::deserialize_from_str(&rendered(&worst(), Format::Junit)).unwrap();
}

#[test]
fn a_comment_fits_a_pull_request_and_begins_with_the_checklist() {
    let text = rendered(&worst(), Format::Markdown);
    assert!(text.chars().count() <= 65_000, "{}", text.chars().count());
    assert!(text.contains("more checks had no room here"));
    assert!(!text.contains("<script>") && !text.contains("@everyone"));
    assert_eq!(text.matches("<details>").count(), text.matches("</details>").count());
    let bare = rendered(&report("bare"), Format::Markdown);
    assert!(bare.starts_with("## ⛔ BLOCKED: `users-bare`"), "{bare}");
    assert!(bare.find("❌ FAIL | **tracing**").unwrap() < bare.find("<details>").unwrap());
}

#[test]
fn the_terminal_report_keeps_to_80_columns_and_tells_failures_first() {
    let printed = |report: &Report, depth| {
        let mut out = anstream::StripStream::new(Vec::new());
        report.print(depth, &mut out).unwrap();
        String::from_utf8(out.into_inner()).unwrap()
    };
    let bare = report("bare");
    for depth in [Depth::Brief, Depth::Usual, Depth::All] {
        let text = printed(&bare, depth);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    }
    assert_eq!(printed(&bare, Depth::Brief).lines().count(), 3);
    let usual = printed(&bare, Depth::Usual);
    assert!(usual.rfind(" fail ").unwrap() < usual.find(" inconclusive ").unwrap());
    let folded = |outcome| matches!(outcome, Outcome::Pass | Outcome::Skipped);
    let folded = bare.checks.iter().filter(|line| folded(line.finding.outcome)).count();
    assert!(usual.contains(&format!("{folded} checks passed or do not apply")), "{usual}");
    assert!(!usual.contains(" pass  "), "{usual}");
    assert_eq!(printed(&bare, Depth::All).matches("\nGL-").count(), ALL.len());
}

#[test]
fn every_link_of_the_page_leads_to_something_in_it_and_none_leaves_it() {
    for report in [report("good"), report("bare")] {
        let page = rendered(&report, Format::Html);
        let all = |attribute: &str| -> Vec<String> {
            let parts = page.split(attribute).skip(1);
            parts.map(|part| part[..part.find('"').unwrap()].to_owned()).collect()
        };
        let ids = all(" id=\"");
        let unique: BTreeSet<&String> = ids.iter().collect();
        assert_eq!(ids.len(), unique.len(), "an id stands twice");
        let links = all("<a href=\"").into_iter().chain(all("<a class=\"skip\" href=\""));
        for link in links {
            assert!(unique.contains(&link[1..].to_owned()), "{link} leads nowhere");
        }
        assert!(
            !page.contains("http://") && !page.contains("https://") && !page.contains(" src="),
            "it would use the network"
        );
        assert!(page.len() < 2_000_000, "{}", page.len());
    }
}

#[test]
fn what_a_service_says_is_never_markup_of_the_page() {
    let page = rendered(&worst(), Format::Html);
    assert!(page.contains("&lt;script&gt;alert(1)"));
    assert_eq!(page.matches("<script").count(), 2, "the data and our own script");
    assert!(page.len() < 2_000_000, "{}", page.len());
}

#[test]
fn every_finding_with_cases_has_its_place_on_the_axis() {
    let (report, page) = (report("bare"), rendered(&report("bare"), Format::Html));
    for line in report.checks.iter().filter(|line| !line.finding.cases.is_empty()) {
        assert!(page.contains(&format!("id=\"case-{}-0\"", line.id)), "{}", line.id);
    }
    assert!(report.checks.iter().any(|line| line.finding.outcome == Outcome::Fail));
}

#[test]
fn the_run_is_a_trace_of_its_own_with_a_span_per_step_and_fault() {
    let report = report("bare");
    let sent = golive_validator::report::trace(&report);
    assert_eq!(sent, golive_validator::report::trace(&report), "sent twice it is one trace");
    let spans = &sent.resource_spans[0].scope_spans[0].spans;
    let faults: usize = report.course.dependencies.iter().map(|dependency| dependency.faults.len()).sum();
    assert_eq!(spans.len(), 1 + report.steps.len() + faults);
    let root = &spans[0];
    assert!(
        root.parent_span_id.is_empty() && spans[1..].iter().all(|span| span.parent_span_id == root.span_id)
    );
    let ids: BTreeSet<_> = spans.iter().map(|span| &span.span_id).collect();
    assert_eq!(ids.len(), spans.len());
    assert!(spans.iter().all(|span| span.start_time_unix_nano >= root.start_time_unix_nano));
    assert!(spans.iter().all(|span| span.end_time_unix_nano >= span.start_time_unix_nano));
    assert_eq!((root.events.len(), root.status.as_ref().unwrap().code), (failures(&report), 2));
}

#[test]
fn the_page_of_six_million_requests_is_no_larger_than_that_of_a_few() {
    let run = evidence::read(&fixture("good.evidence.zst")).unwrap();
    let report = judge(&six_million(run), ALL);
    let sent: u64 = report.steps.iter().map(|step| step.requests).sum();
    assert!(sent > 6_000_000, "{sent}");
    let page = rendered(&report, Format::Html);
    assert!(page.len() < 1_000_000, "{}", page.len());
    assert!(rendered(&report, Format::Json).len() < 1_000_000);
}
