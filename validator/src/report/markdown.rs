//! The report as a comment on a pull request: the checklist on top, everything else folded.

use std::fmt::Write as _;
use std::io::{self, Write};

use super::{AreaLine, CheckLine, Report};
use crate::check::Outcome;

/// GitHub takes 65,536 characters for a comment; other hosts take more.
const MAX_CHARS: usize = 65_000;

/// Cases of one check that are told.
const MAX_CASES: usize = 5;

pub(super) fn render(report: &Report, out: &mut dyn Write) -> io::Result<()> {
    let mut text = head(report);
    let mut left_out = 0;
    let foot = foot(report);
    for line in failures_first(report) {
        let section = section(line);
        if text.chars().count() + section.chars().count() + foot.chars().count() + 200 > MAX_CHARS {
            left_out += 1;
        } else {
            text.push_str(&section);
        }
    }
    if left_out > 0 {
        let _ = writeln!(text, "\n{left_out} more checks had no room here; they are in the other reports.");
    }
    text.push_str(&foot);
    out.write_all(text.as_bytes())
}

fn head(report: &Report) -> String {
    let (mark, word) = if report.verdict.is_go() { ("✅", "APPROVED") } else { ("⛔", "BLOCKED") };
    let Report { deployment, version, namespace, verdict, .. } = report;
    let mut text = format!(
        "## {mark} {word}: `{deployment}` {} → `{namespace}` ({verdict})\n\n**SRE go-live checklist: {}/4 passing**\n\n",
        plain(version),
        report.passing()
    );
    text.push_str("| | | |\n|---|---|---|\n");
    for line in &report.areas {
        let _ = writeln!(text, "| {} | **{}** | {} |", mark_of(line.outcome), line.area.name(), reason(line));
    }
    let not_tested = &report.not_tested;
    let systems = (!not_tested.systems.is_empty())
        .then(|| format!("called but not declared: {}", not_tested.systems.join(", ")));
    let told: Vec<String> = systems.into_iter().chain(not_tested.left_out.iter().cloned()).collect();
    if !told.is_empty() {
        let _ = writeln!(text, "| ➖ | not tested | {} |", plain(&told.join("; ")));
    }
    text.push('\n');
    text
}

fn reason(line: &AreaLine) -> String {
    let more = if line.more > 0 { format!(" (and {} more)", line.more) } else { String::new() };
    let remedy = line.remedy.as_deref().map(|remedy| format!("<br>→ {}", plain(remedy))).unwrap_or_default();
    format!("{}{more}{remedy}", plain(&line.reason))
}

fn mark_of(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "✅ PASS",
        Outcome::Fail => "❌ FAIL",
        Outcome::Warn => "⚠️ WARN",
        Outcome::Inconclusive => "❔ INCONCLUSIVE",
        Outcome::Skipped => "➖ SKIPPED",
    }
}

/// Failures, open questions and warnings; what passed is a number.
fn failures_first(report: &Report) -> Vec<&CheckLine> {
    let of = |outcome| report.checks.iter().filter(move |line| line.finding.outcome == outcome);
    let mut failed: Vec<&CheckLine> = of(Outcome::Fail).collect();
    failed.sort_by_key(|line| !line.is_gating_failure());
    failed.into_iter().chain(of(Outcome::Inconclusive)).chain(of(Outcome::Warn)).collect()
}

fn section(line: &CheckLine) -> String {
    let finding = &line.finding;
    let mut text = format!(
        "<details><summary>{} <code>{}</code> {} ({}): {}</summary>\n\n",
        mark_of(finding.outcome),
        line.id,
        line.slug,
        line.severity,
        inside(&finding.summary)
    );
    let cases = finding.cases.iter().map(|case| case.text.clone()).filter(|text| *text != finding.summary);
    let struck = finding.struck.iter().map(|struck| format!("struck: {} ({})", struck.case.text, struck.by));
    let told: Vec<String> = cases.chain(struck).collect();
    for case in told.iter().take(MAX_CASES).chain(finding.details.iter().take(2 * MAX_CASES)) {
        let _ = writeln!(text, "- {}", plain(case));
    }
    if told.len() > MAX_CASES {
        let _ = writeln!(text, "- {} more like these", told.len() - MAX_CASES);
    }
    if let (Some(measured), Some(limit)) = (&finding.measured, &finding.limit) {
        let _ = writeln!(text, "\nmeasured {}; limit {}", plain(measured), plain(limit));
    }
    let _ = writeln!(text, "\n→ {}\n\n</details>", plain(&line.remedy));
    text
}

fn foot(report: &Report) -> String {
    let counts: Vec<String> = report.counts().iter().map(|(outcome, n)| format!("{n} {outcome}")).collect();
    let identity = &report.identity;
    let digest = identity.digest.as_deref().unwrap_or(&identity.image);
    format!(
        "\n{}. Run `{}` of {:.0} s, ended {}; `{}`; policy {}; validator {}.\n",
        counts.join(", "),
        report.run,
        report.duration.took_s,
        identity.ended,
        plain(digest),
        identity.policy,
        report.validator
    )
}

/// Text that stays text inside of HTML, where Markdown is none.
fn inside(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            // Mentions and references would notify people who have nothing to do with it.
            '@' => safe.push_str("&#64;"),
            '#' => safe.push_str("&#35;"),
            '\n' | '\r' => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}

/// Text that stays text: no markup of GitHub's Markdown and no HTML comes out of a pod's name or an error. Within a table.
fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in inside(text).chars() {
        if "|*_`[]\\~!".contains(c) {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn what_a_service_says_is_no_markup_and_calls_nobody() {
        assert_eq!(plain("<b>*a*|b</b>"), r"&lt;b&gt;\*a\*\|b&lt;/b&gt;");
        assert_eq!(plain("@oncall #1\n`x`"), r"&#64;oncall &#35;1 \`x\`");
    }
}
