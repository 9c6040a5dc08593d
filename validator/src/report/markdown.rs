//! The report as a comment on a pull request: the checklist on top, everything else folded.

use std::fmt::Write as _;

use super::{AreaLine, CheckLine, Report, WaiverLine};
use crate::check::Outcome;

/// GitHub takes 65,536 characters for a comment; other hosts take more.
const MAX_CHARS: usize = 65_000;

/// Cases of one check that are told.
const MAX_CASES: usize = 5;

pub(super) fn text(report: &Report) -> String {
    let mut text = head(report);
    let mut left_out = 0;
    let foot = format!("{}{}", waivers(report), foot(report));
    // What passed is a number.
    for line in report.failures_first().into_iter().filter(|line| line.is_noted()) {
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
    text
}

fn head(report: &Report) -> String {
    let (mark, word) = (if report.verdict.is_go() { "✅" } else { "⛔" }, report.status());
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
    if let Some(told) = report.not_tested.told() {
        let _ = writeln!(text, "| ➖ | not tested | {} |", plain(&brief(&told)));
    }
    text.push('\n');
    text
}

fn reason(line: &AreaLine) -> String {
    let more = if line.more > 0 { format!(" (and {} more)", line.more) } else { String::new() };
    let remedy = line.remedy.as_deref().map(|remedy| format!("<br>→ {}", plain(remedy))).unwrap_or_default();
    format!("{}{more}{remedy}", plain(&brief(&line.reason)))
}

fn mark_of(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "✅ PASS",
        Outcome::Fail => "❌ FAIL",
        Outcome::Warn => "⚠️ WARN",
        Outcome::Inconclusive => "❔ INCONCLUSIVE",
        Outcome::Skipped => "➖ SKIPPED",
        Outcome::Waived => "🕒 WAIVED",
    }
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

/// Enough to know what it is about; the other reports have all of it.
fn brief(text: &str) -> String {
    const MAX: usize = 300;
    let cut: String = text.chars().take(MAX).collect();
    if cut.len() < text.len() { format!("{cut}...") } else { cut }
}

/// Every waiver that names the service, also one that did nothing. They have half of the comment, which is room for a hundred of
/// usual length; how many had none is told.
fn waivers(report: &Report) -> String {
    if report.waivers.is_empty() {
        return String::new();
    }
    let lines: Vec<String> = report.waivers.iter().map(waiver).collect();
    let mut room = MAX_CHARS / 2;
    let has_room = |line: &&String| {
        room = room.saturating_sub(line.chars().count());
        room > 0
    };
    let told = lines.iter().take_while(has_room).count();
    let mut text = format!("\n**Waivers: {}**\n\n{}", lines.len(), lines[..told].concat());
    if told < lines.len() {
        let left_out = lines.len() - told;
        let _ = writeln!(text, "- {left_out} more waivers had no room here; the other reports have them");
    }
    text
}

fn waiver(line: &WaiverLine) -> String {
    format!("- `{}` **{}**: {}\n", line.waiver.check, line.state, plain(&line.told()))
}

fn foot(report: &Report) -> String {
    let counts: Vec<String> = report.counts().iter().map(|(outcome, n)| format!("{n} {outcome}")).collect();
    let identity = &report.identity;
    let digest = identity.digest.as_deref().unwrap_or(&identity.image);
    format!(
        "\n{}. Run `{}` of {:.0} s, ended {}; <code>{}</code>; policy {}; validator {}.\n",
        counts.join(", "),
        report.run,
        report.duration.took_s,
        identity.ended,
        // Nobody is called out of code (cmark-gfm leaves it alone), and a digest has to be copied as it is.
        escaped(&entities(digest)),
        plain(&identity.policy),
        report.validator
    )
}

/// Text that stays text inside of HTML, where Markdown is none.
fn inside(text: &str) -> String {
    entities(&unlinked(text))
}

/// The same where Markdown is read, also within a table.
fn plain(text: &str) -> String {
    escaped(&inside(text))
}

/// GitHub looks for mentions, references and addresses in what is rendered, so that no escape hides them: a space of no width
/// does. They would notify people who have nothing to do with it.
fn unlinked(text: &str) -> String {
    const APART: &str = "\u{200b}";
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        safe.push(c);
        if matches!(c, '@' | '#') {
            safe.push_str(APART);
        }
    }
    safe.replace("://", &format!(":{APART}//")).replace("www.", &format!("www{APART}."))
}

fn entities(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '\n' | '\r' => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}

/// No markup of GitHub's Markdown comes out of a pod's name or an error.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
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
        assert_eq!(plain("@oncall #1\n`x`"), "@\u{200b}oncall #\u{200b}1 \\`x\\`");
        assert_eq!(plain("http://a www.b.c"), "http:\u{200b}//a www\u{200b}.b.c");
    }
}
