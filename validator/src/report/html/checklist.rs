//! The checklist: one line per area, each opens its checks, each of those its cases.

use maud::{Markup, html};

use super::clock;
use crate::check::{Area, Outcome};
use crate::checks;
use crate::report::course::Mark;
use crate::report::{AreaLine, CheckLine, NotTested, Report};

pub(super) fn section(report: &Report) -> Markup {
    html! {
        section #checklist aria-labelledby="checklist-title" {
            h2 #checklist-title { "SRE go-live checklist: " (report.passing()) "/4 passing" }
            div.areas { @for line in &report.areas { (area(report, line)) } (not_tested(&report.not_tested)) }
        }
    }
}

fn area(report: &Report, line: &AreaLine) -> Markup {
    let mine: Vec<&CheckLine> =
        report.failures_first().into_iter().filter(|check| check.area == line.area).collect();
    let passed = mine.iter().filter(|check| check.finding.outcome == Outcome::Pass).count();
    let (mark, word) = line.mark();
    html! {
        details.area.(tone(line.outcome)) id=(format!("area-{}", line.area.name())) {
            summary {
                span.mark { span.box { (mark) } " " (word) }
                span.name { (title(line.area)) }
                span.reason { (line.reason) @if line.more > 0 { " (and " (line.more) " more)" }
                    @if let Some(remedy) = &line.remedy { span.remedy { "→ " (remedy) } } }
                span.count { (passed) " of " (mine.len()) " pass" }
            }
            @for check in &mine { (one(report, check)) }
        }
    }
}

fn one(report: &Report, line: &CheckLine) -> Markup {
    let finding = &line.finding;
    let fails = matches!(finding.outcome, Outcome::Fail);
    html! {
        details.check.(tone(finding.outcome)) id=(line.id) open[fails] {
            summary {
                span.outcome { (finding.outcome) }
                span.code { (line.id) }
                span.slug { (line.slug) " " small { (line.severity) } }
                span.summary { (finding.summary) }
            }
            div.body {
                (measured(line))
                (cases(report, line))
                @if !finding.details.is_empty() { ul.told { @for detail in &finding.details { li { (detail) } } } }
                @if finding.outcome != Outcome::Pass && finding.outcome != Outcome::Skipped {
                    p.remedy { strong { "What to change: " } (line.remedy) }
                }
                @if let Some(check) = checks::find(&line.id) {
                    p.why { strong { "Why: " } (check.why) }
                    p.why { strong { "How: " } (check.how) }
                }
            }
        }
    }
}

fn measured(line: &CheckLine) -> Markup {
    let finding = &line.finding;
    let lines: Vec<String> = finding.cited().iter().map(ToString::to_string).collect();
    html! {
        @if let (Some(measured), Some(limit)) = (&finding.measured, &finding.limit) {
            p.measured { "measured " strong { (measured) } ", limit " strong { (limit) } }
        }
        @if !lines.is_empty() { p.lines { "evidence: line " (lines.join(", ")) } }
    }
}

/// The cases, each with the way to its place on the axis.
fn cases(report: &Report, line: &CheckLine) -> Markup {
    let marks: Vec<&Mark> = report.course.marks.iter().filter(|mark| mark.check == line.id).collect();
    let all = line.finding.cases.len() + line.finding.struck.len();
    html! {
        @if !marks.is_empty() {
            ul.cases { @for mark in &marks {
                li.struck[mark.struck.is_some()] {
                    a href=(format!("#case-{}-{}", mark.check, mark.case)) { (clock(mark.from_s)) } " "
                    (mark.text)
                    @if let Some(by) = &mark.struck { " " em { "(struck: " (by) ")" } }
                    @if let Some(request) = mark.request { " " a href=(format!("#request-{request}")) { "the request" } }
                }
            } }
            @if all > marks.len() { p.more { (all - marks.len()) " more; the evidence holds all of them" } }
        }
    }
}

fn not_tested(not_tested: &NotTested) -> Markup {
    html! { @if let Some(told) = not_tested.told() {
        div.area.none { p { span.mark { span.box { "[-]" } " NOT TESTED" } span.reason { (told) } } }
    } }
}

fn title(area: Area) -> &'static str {
    match area {
        Area::Tracing => "Tracing",
        Area::Health => "Health",
        Area::Shutdown => "Shutdown",
        Area::Breaker => "Breaker",
        Area::Release => "Release",
        Area::Run => "Run",
    }
}

/// The class of an outcome in the style sheet.
pub(super) fn tone(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Fail => "fail",
        Outcome::Warn => "warn",
        Outcome::Inconclusive | Outcome::Waived => "open",
        Outcome::Skipped => "skip",
    }
}
