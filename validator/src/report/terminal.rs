//! The report as plain text of 80 columns; colour is added only around words, never instead of them. Failures stand first,
//! what passed is folded into a number.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};

use super::legible::legible;
use super::wrap::wrap;
use super::{AreaLine, CheckLine, NotTested, Report, RunTime};
use crate::check::{Area, Finding, Outcome, Struck};

/// Column at which the texts of the checklist begin.
const TEXT: usize = 27;

/// Column at which the texts of the checks begin.
const DETAIL: usize = 4;

/// Cases of one check that are told.
const MAX_CASES: usize = 5;

/// How much is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Three lines.
    Brief,
    /// The checklist, and every check that did not simply pass.
    Usual,
    /// Every check.
    All,
}

pub(super) fn render(report: &Report, depth: Depth, out: &mut dyn Write) -> io::Result<()> {
    title(report, out)?;
    if depth == Depth::Brief {
        return Ok(());
    }
    writeln!(out)?;
    for line in &report.areas {
        area(line, out)?;
        if line.area == Area::Breaker {
            writeln!(out)?;
        }
    }
    not_tested(&report.not_tested, out)?;
    checks(report, depth, out)?;
    waivers(report, out)?;
    let counts: Vec<String> = report.counts().iter().map(|(outcome, n)| format!("{n} {outcome}")).collect();
    writeln!(out, "\nVERDICT: {} ({})", report.verdict, counts.join(", "))?;
    let RunTime { took_s, least_s } = report.duration;
    writeln!(out, "run {}, validator {}", legible(&report.run), legible(&report.validator))?;
    match least_s {
        0.0 => writeln!(out, "took {took_s:.0} s"),
        _ => writeln!(
            out,
            "took {took_s:.0} s, {:.2} x the {least_s:.0} s of waits it cannot avoid",
            took_s / least_s
        ),
    }
}

fn title(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let Report { deployment, version, namespace, .. } = report;
    let what = if report.purpose.proves() { "DEPLOY REQUEST" } else { "OBSERVATION" };
    writeln!(out, "{what}: {}", legible(&format!("{deployment} {version} -> {namespace}")))?;
    writeln!(out, "STATUS: {}", status(report))?;
    writeln!(out, "SRE go-live checklist: {}/4 passing", report.passing())
}

/// Failures, then open questions, then warnings; what passed and what does not apply on demand.
fn checks(report: &Report, depth: Depth, out: &mut dyn Write) -> io::Result<()> {
    let lines = report.failures_first();
    let told: Vec<&CheckLine> =
        lines.iter().copied().filter(|line| depth == Depth::All || line.is_noted()).collect();
    if !told.is_empty() {
        writeln!(out, "\nCHECKS")?;
    }
    told.iter().try_for_each(|line| check(line, out))?;
    match lines.len() - told.len() {
        0 => Ok(()),
        folded => writeln!(out, "\n{folded} checks passed or do not apply; --all shows them"),
    }
}

fn status(report: &Report) -> String {
    let style = if report.verdict.is_go() { green() } else { red() };
    format!("{} ({})", styled(style, report.status()), report.verdict)
}

fn area(line: &AreaLine, out: &mut dyn Write) -> io::Result<()> {
    let (mark, word) = line.mark();
    let style = match line.outcome {
        Outcome::Pass => green(),
        Outcome::Fail => red(),
        _ => yellow(),
    };
    let more = if line.more > 0 { format!(" (and {} more)", line.more) } else { String::new() };
    let head = format!("{mark} {word:<12} {:<9} ", line.area.name());
    let text = wrap(&head, &format!("{}{more}", line.reason), TEXT);
    writeln!(out, "{}", text.replacen(word, &styled(style, word), 1))?;
    if let Some(remedy) = &line.remedy {
        writeln!(out, "{}", wrap(&" ".repeat(TEXT), &format!("-> {remedy}"), TEXT + 3))?;
    }
    Ok(())
}

fn not_tested(not_tested: &NotTested, out: &mut dyn Write) -> io::Result<()> {
    let Some(told) = not_tested.told() else { return Ok(()) };
    let (word, style) = ("NOT TESTED", if not_tested.systems.is_empty() { Style::new() } else { yellow() });
    let text = wrap(&format!("[-] {word:<22} "), &told, TEXT);
    writeln!(out, "{}", text.replacen(word, &styled(style, word), 1))
}

fn check(line: &CheckLine, out: &mut dyn Write) -> io::Result<()> {
    let finding = &line.finding;
    let word = finding.outcome.to_string();
    let style = match finding.outcome {
        Outcome::Pass | Outcome::Skipped => Style::new(),
        Outcome::Fail => red(),
        Outcome::Warn | Outcome::Waived | Outcome::Inconclusive => yellow(),
    };
    let padded = format!("{word:<12}");
    let head = format!("{} {padded} {} ({})", line.id, line.slug, line.severity);
    writeln!(out, "{}", head.replacen(&word, &styled(style, &word), 1))?;
    let indent = " ".repeat(DETAIL);
    writeln!(out, "{}", wrap(&indent, &finding.summary, DETAIL))?;
    for detail in told(finding) {
        writeln!(out, "{}", wrap(&format!("{indent}- "), &detail, DETAIL + 2))?;
    }
    if let (Some(measured), Some(limit)) = (&finding.measured, &finding.limit) {
        let lines: Vec<String> = finding.cited().iter().map(|line| format!("#{line}")).collect();
        let evidence =
            if lines.is_empty() { String::new() } else { format!("; evidence {}", lines.join(" ")) };
        writeln!(out, "{}", wrap(&indent, &format!("measured {measured}; limit {limit}{evidence}"), DETAIL))?;
    }
    Ok(())
}

/// Every waiver that names the service, also one that did nothing.
fn waivers(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    if !report.waivers.is_empty() {
        writeln!(out, "\nWAIVERS")?;
    }
    for line in &report.waivers {
        let word = line.state.to_string();
        let head = format!("{} {word}", line.waiver.check);
        let style = if line.warns() { yellow() } else { Style::new() };
        writeln!(out, "{}", head.replacen(&word, &styled(style, &word), 1))?;
        writeln!(out, "{}", wrap(&" ".repeat(DETAIL), &line.told(), DETAIL))?;
    }
    Ok(())
}

/// The cases that the summary does not tell already, what was struck and by what, and what the check adds.
fn told(finding: &Finding) -> Vec<String> {
    let cases = finding.cases.iter().map(|case| &case.text).filter(|text| **text != finding.summary);
    let struck = finding.struck.iter().map(|Struck { case, by }| format!("struck: {} ({by})", case.text));
    let more = |all: usize, what: &str| (all > MAX_CASES).then(|| format!("{} more {what}", all - MAX_CASES));
    let cases = cases.take(MAX_CASES).cloned().chain(more(finding.cases.len(), "like these"));
    let struck = struck.take(MAX_CASES).chain(more(finding.struck.len(), "were struck"));
    cases.chain(struck).chain(finding.details.iter().cloned()).collect()
}

fn styled(style: Style, word: &str) -> String {
    format!("{style}{word}{style:#}")
}

fn green() -> Style {
    AnsiColor::Green.on_default().bold()
}

fn red() -> Style {
    AnsiColor::Red.on_default().bold()
}

fn yellow() -> Style {
    AnsiColor::Yellow.on_default().bold()
}
