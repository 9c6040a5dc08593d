//! The report as one page without any other file: no network, light and dark, for paper, phones and screen readers.

mod axis;
mod checklist;
mod curve;
mod lanes;
mod requests;
mod row;
mod tables;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{Lost, Report};
use crate::check::Outcome;

const STYLE: &str = include_str!("html/report.css");
const SCRIPT: &str = include_str!("html/report.js");

pub(super) fn text(report: &Report) -> String {
    page(report).into_string()
}

fn page(report: &Report) -> Markup {
    let title = format!("{} {}: {}", report.deployment, report.version, report.verdict);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                // Nothing in this page may reach the network, whatever a service has put into its errors.
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; base-uri 'none'; form-action 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";
                link rel="icon" href="data:,";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#checklist" { "To the checklist" }
                header.top { (banner(report)) }
                main {
                    (checklist::section(report))
                    (tables::waivers(&report.waivers))
                    (axis::section(report))
                    (tables::steps(&report.steps))
                    (requests::section(&report.course))
                    (tables::section(report))
                }
                footer { (identity(report)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
}

fn banner(report: &Report) -> Markup {
    let (tone, word) = (if report.verdict.is_go() { "go" } else { "nogo" }, report.status());
    html! {
        div.banner.(tone) {
            p.deploy { "Deploy request: " strong { (report.deployment) " " (report.version) } " → " (report.namespace) }
            h1 { span.verdict { (word) } " " span.word { (report.verdict) } }
            p.sentence { (sentence(report)) }
        }
        dl.tiles { @for (name, value, note) in tiles(report) {
            div { dt { (name) } dd { (value) @if !note.is_empty() { small { (note) } } } }
        } }
    }
}

/// What a reader needs first, in one sentence.
fn sentence(report: &Report) -> String {
    let gating = report.checks.iter().filter(|line| line.is_gating_failure());
    let failed = gating.clone().count();
    let open = report.checks.iter().filter(|line| line.is_open_blocker()).count();
    let waived = report.checks.iter().filter(|line| line.is_waived_proof()).count();
    match (gating.clone().next(), failed, open) {
        (Some(first), 1, _) => format!("One check that gates failed: {}", first.finding.summary),
        (Some(_), several, _) => {
            let areas: Vec<&str> = report
                .areas
                .iter()
                .filter(|line| line.outcome == Outcome::Fail)
                .map(|line| line.area.name())
                .collect();
            format!("{several} checks that gate failed, in {}.", listed(&areas))
        }
        (None, _, 0) if waived > 0 => {
            format!("Nothing that gates failed but what the policy waives: {waived} of the checks that gate.")
        }
        (None, _, 0) => "Nothing that gates failed, and nothing that must be known is open.".to_owned(),
        (None, _, 1) => "Nothing failed, but one blocker has no answer: this run does not tell.".to_owned(),
        (None, _, several) => {
            format!("Nothing failed, but {several} blockers have no answer: this run does not tell.")
        }
    }
}

fn listed(words: &[&str]) -> String {
    match words {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

fn tiles(report: &Report) -> Vec<(&'static str, String, String)> {
    let load = &report.course.load;
    let sum =
        |of: fn(&super::course::ClassTrack) -> &Vec<u64>| -> u64 { load.classes.iter().flat_map(of).sum() };
    let faults: usize = report.course.dependencies.iter().map(|dependency| dependency.faults.len()).sum();
    let (lost, of) = lost(report);
    let passed = report.counts().iter().find(|(outcome, _)| *outcome == Outcome::Pass).map_or(0, |(_, n)| *n);
    vec![
        ("Pillars", format!("{} of 4", report.passing()), "pass".into()),
        ("Checks", format!("{passed} of {}", report.checks.len()), "pass".into()),
        ("Lost while rolling", lost, of),
        ("Sent in all", grouped(sum(|track| &track.due)), "requests, faults included".into()),
        ("Faults injected", faults.to_string(), "for this target alone".into()),
        (
            "Pods seen to end",
            report.course.pods_ended.to_string(),
            format!("in {}", minutes(report.duration.took_s)),
        ),
    ]
}

/// A number only where the run knows it: a zero that nobody measured is the worst that a page can say in large letters.
fn lost(report: &Report) -> (String, String) {
    let Lost { known, struck } = report.lost_while_rolling();
    let of = format!("of {} requests", grouped(report.course.load.while_rolling));
    let of = if struck > 0 { format!("{of}; {} struck, the run was disturbed", grouped(struck)) } else { of };
    known.map_or_else(|| ("not known".to_owned(), "GL-S201 says why".to_owned()), |lost| (grouped(lost), of))
}

/// `27 074`, with a thin space that does not break.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push('\u{202f}');
        }
        text.push(digit);
    }
    text
}

fn minutes(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    if whole < 60 { format!("{whole} s") } else { format!("{} min {:02} s", whole / 60, whole % 60) }
}

/// `0:42` or `12:05`: a moment on the axis.
fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0).floor() as u64;
    format!("{}:{:02}", whole / 60, whole % 60)
}

fn identity(report: &Report) -> Markup {
    let identity = &report.identity;
    let rows = [
        ("Image", Some(&identity.image)),
        ("Digest", identity.digest.as_ref()),
        ("Template", identity.template_hash.as_ref()),
        ("Policy", Some(&identity.policy)),
        ("Began", Some(&identity.began)),
        ("Ended", Some(&identity.ended)),
        ("Run", Some(&report.run)),
        ("Validator", Some(&report.validator)),
    ];
    html! {
        h2 { "What this verdict is about" }
        dl.identity { @for (name, value) in rows { @if let Some(value) = value {
            div { dt { (name) } dd { (value) } }
        } } }
        p { "The same report comes again from the evidence file, without a cluster: " code { "validator judge FILE" } "." }
    }
}

#[cfg(test)]
mod tests {
    use super::{clock, grouped, minutes};

    #[test]
    fn numbers_are_told_as_people_read_them() {
        assert_eq!((grouped(999).as_str(), grouped(27_074).as_str()), ("999", "27\u{202f}074"));
        assert_eq!(grouped(6_000_000), "6\u{202f}000\u{202f}000");
        assert_eq!((minutes(59.4).as_str(), minutes(332.9).as_str()), ("59 s", "5 min 33 s"));
        assert_eq!((clock(0.0).as_str(), clock(725.9).as_str()), ("0:00", "12:05"));
    }
}
