//! One evidence file through every renderer; each result is held to what its readers hold it to.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use golive_validator::check::{Case, Finding, Outcome};
use golive_validator::checks::ALL;
use golive_validator::config;
use golive_validator::evidence::{self, Evidence};
use golive_validator::judge::judge;
use golive_validator::report::{Depth, Format, Report, schema};
use pulldown_cmark::Event;
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

/// The same run, of which nothing is known after so many seconds.
fn cut(run: Evidence, after_s: i64) -> Evidence {
    let end = run.header.started + after_s * 1_000;
    let facts = run.facts.into_iter().filter(|fact| fact.at() <= end).collect();
    Evidence::new(run.header, facts)
}

#[test]
fn a_run_that_was_cut_off_has_its_last_moment_on_the_axis_and_claims_no_zero() {
    let run = evidence::read(&fixture("good.evidence.zst")).unwrap();
    let started = run.header.started;
    let run = cut(run, 110);
    let until = (run.facts.last().unwrap().at() - started) as f64 / 1000.0;
    let report = judge(&run, ALL);
    assert!(until > 100.0, "{until}");
    assert!((report.course.length_s - until).abs() < 0.01, "{} of {until}", report.course.length_s);
    assert!((report.duration.took_s - until).abs() < 0.01, "{:?}", report.duration);
    let step = report.steps.last().unwrap();
    assert!((step.from_s + step.took_s - until).abs() < 0.01 && step.took_s > 1.0, "{step:?}");
    assert_eq!(report.lost_while_rolling().known, None);
    let page = rendered(&report, Format::Html);
    assert!(page.contains("Lost while rolling</dt><dd>not known"), "no zero that nobody measured");
    let known = judge(&evidence::read(&fixture("bare.evidence.zst")).unwrap(), ALL).lost_while_rolling();
    assert!(known.known.unwrap() > 0, "{known:?}");
}

#[test]
fn nothing_that_a_service_says_reaches_the_terminal_or_turns_a_line_around() {
    let mut report = report("bare");
    let forged = "x \u{1b}]0;t\u{7}\u{1b}[2J\u{1b}[1;32mSTATUS: APPROVED \u{202e}desrever \u{9b}2J";
    for line in &mut report.checks {
        let cases = [Case::at(1, forged, 2), Case::at(2, forged, 3)];
        line.finding = Finding::unless(cases, "").counted(forged).details([forged.to_owned()]);
    }
    report.areas.iter_mut().for_each(|area| area.reason = forged.into());
    report.not_tested.systems.push(forged.into());
    report.version = forged.into();
    let mut printed = Vec::new();
    report.print(Depth::All, &mut printed).unwrap();
    let printed = String::from_utf8(printed).unwrap();
    assert!(!printed.contains("\u{1b}[2J") && !printed.contains("\u{1b}]0") && !printed.contains('\u{7}'));
    for format in [Format::Terminal, Format::Html, Format::Markdown, Format::Junit] {
        let text = rendered(&report, format);
        assert!(text.contains("desrever"), "{format:?}");
        assert!(!text.contains('\u{202e}') && !text.contains('\u{9b}'), "{format:?}");
    }
}

#[test]
fn the_page_has_lanes_for_the_pods_that_stay_however_many_there_were() {
    let page = |pods_seen: usize| {
        let mut report = report("good");
        report.course.pods_seen = pods_seen;
        rendered(&report, Format::Html)
    };
    let drawn = report("good").course.pods.len();
    assert!(
        page(drawn + 7).contains("7 more pods have no lane")
            && page(drawn + 7).contains(&format!("Pods ({})", drawn + 7))
    );
    assert!(!page(drawn).contains("have no lane"));
}

#[test]
fn a_comment_names_the_digest_as_it_can_be_copied() {
    let report = report("good");
    let digest = report.identity.digest.clone().unwrap();
    let text = rendered(&report, Format::Markdown);
    let mut read = String::new();
    for event in pulldown_cmark::Parser::new(&text) {
        match event {
            Event::Text(text) | Event::Code(text) => read.push_str(&text),
            Event::SoftBreak | Event::End(_) => read.push('\n'),
            _ => {}
        }
    }
    assert!(digest.contains("@sha256:") && read.contains(&digest), "{digest} is not in {read}");
}

/// A report whose every check failed in a thousand ways, with markup and control characters in what services say.
fn worst() -> Report {
    let mut report = report("bare");
    for line in &mut report.checks {
        let text = "<script>alert(1)</script> | `@everyone` \u{1b}[31m ]]> &amp; ".repeat(4);
        let cases = (0..1_000).map(|at| Case::at(at, format!("{at} {text}"), 2));
        line.finding = Finding::unless(cases, "").counted(format!("of 1000: {text}"));
    }
    // A host per tenant.
    report
        .not_tested
        .systems
        .extend((0..2_000).map(|at| format!("tenant-{at}.hooks.example.com (1 client span)")));
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
        for result in run["results"].as_array().unwrap() {
            let place = &result["locations"][0]["physicalLocation"];
            assert_eq!(
                place["artifactLocation"]["uri"], "golive.yaml",
                "GitHub refuses a log without: {result}"
            );
            assert!(place["region"]["startLine"].as_u64().unwrap() > 0);
        }
        let level = |result: &&Value| result["level"] == "error";
        let found = run["results"].as_array().unwrap().iter().filter(level).count();
        assert_eq!(found, failures(&report));
    }
}

#[test]
fn junit_has_a_case_per_check_and_counts_as_the_verdict_does() {
    let minor =
        report("foreign").checks.into_iter().filter(|line| line.finding.outcome == Outcome::Inconclusive);
    assert!(minor.filter(|line| !line.is_open_blocker()).count() > 0, "or this test tells nothing of them");
    for report in [report("good"), report("bare"), report("foreign")] {
        let read = quick_junit::Report::deserialize_from_str(&rendered(&report, Format::Junit)).unwrap();
        let sum = |of: fn(&quick_junit::TestSuite) -> usize| read.test_suites.iter().map(of).sum::<usize>();
        let open = report.checks.iter().filter(|line| line.is_open_blocker()).count();
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
    assert!(!text.contains("<script>") && !text.contains("@everyone") && !text.contains("&#64;"));
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
        for closed in ["default-src 'none'", "base-uri 'none'", "form-action 'none'"] {
            assert!(page.contains(closed), "{closed}");
        }
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

#[test]
fn target_files_are_what_the_published_schema_says_and_a_wrong_key_is_not() {
    let text = fs::read_to_string(root().join("docs/golive.schema.json")).unwrap();
    let published: Value = from_str(&text).unwrap();
    assert_eq!(published, serde_json::to_value(config::schema()).unwrap(), "run `make generate`");
    let validator = jsonschema::draft202012::new(&published).unwrap();
    for file in ["golive.yaml", "cluster/bare.golive.yaml", "validator/tests/foreign/base/golive.yaml"] {
        let mut value: Value =
            serde_saphyr::from_str(&fs::read_to_string(root().join(file)).unwrap()).unwrap();
        let wrong: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(wrong.is_empty(), "{file}: {wrong:?}");
        value["spec"]["traffic"]["rait"] = 200.into();
        assert!(!validator.is_valid(&value), "{file}");
    }
}
