//! What got better and worse between two reports.

use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use super::legible::legible;
use super::wrap::wrap;
use super::{CheckLine, Report, Verdict};
use crate::check::{LOST, Outcome};

/// One report against an earlier one.
#[derive(Debug, Serialize)]
pub struct Difference {
    /// Version of this format.
    pub schema: &'static str,
    /// The earlier run and its verdict.
    pub before: (String, Verdict),
    /// The later one.
    pub after: (String, Verdict),
    /// Checks that did not end alike or weigh alike, those of more losses, and those that one of the two does not know.
    pub changes: Vec<Change>,
    /// Checks that gate and failed in both.
    pub still_failing: Vec<String>,
    /// Of the checks that fail in the later one, those that no earlier failure excuses: lost requests.
    pub never_accepted: Vec<String>,
}

/// One check.
#[derive(Debug, Serialize)]
pub struct Change {
    /// Its code.
    pub id: String,
    /// Its property.
    pub slug: String,
    /// How it ended before; nothing if it was not known then.
    pub before: Option<Outcome>,
    /// How it ended now; nothing if it is not known any more.
    pub after: Option<Outcome>,
    /// Which way it went.
    pub direction: Direction,
    /// Whether it holds the later report up and did not hold up the earlier one, or what gated is no longer looked at.
    pub gates: bool,
    /// What is said now, else what was said before.
    pub summary: String,
}

/// Which way.
#[derive(Clone, Copy, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// To the worse.
    Worse,
    /// To the better.
    Better,
    /// Neither: known to one of the two alone, or about to apply.
    Other,
}

impl Difference {
    /// Compares by the codes of the checks, which are never used for anything else.
    pub fn between(before: &Report, after: &Report) -> Self {
        let find = |report: &'_ Report, id: &str| report.checks.iter().find(|line| line.id == id).cloned();
        let mut changes: Vec<Change> = after
            .checks
            .iter()
            .filter_map(|line| Change::new(find(before, &line.id).as_ref(), Some(line)))
            .collect();
        let gone = before.checks.iter().filter(|line| find(after, &line.id).is_none());
        changes.extend(gone.filter_map(|line| Change::new(Some(line), None)));
        changes.sort_by_key(|change| (!change.gates, change.direction as u8));
        let still = |line: &&CheckLine| {
            line.is_gating_failure() && find(before, &line.id).is_some_and(|old| old.is_gating_failure())
        };
        let lost = after.checks.iter().filter(|line| line.id == LOST && line.is_gating_failure());
        Self {
            schema: "golive.dev/diff/v1",
            never_accepted: lost.map(|line| line.id.clone()).collect(),
            before: (before.run.clone(), before.verdict),
            after: (after.run.clone(), after.verdict),
            still_failing: after.checks.iter().filter(still).map(|line| line.id.clone()).collect(),
            changes,
        }
    }

    /// Whether the later run is worse in anything that gates. A verdict that fell is, whatever its checks say.
    pub fn is_worse(&self) -> bool {
        self.fell() || self.regressions().next().is_some()
    }

    /// Whether somebody who accepted what failed before may go on: nothing is worse, and nothing fails that nobody can accept.
    pub fn is_accepted(&self) -> bool {
        !self.is_worse() && self.never_accepted.is_empty()
    }

    fn fell(&self) -> bool {
        self.before.1.is_go() && !self.after.1.is_go()
    }

    /// Checks that hold the later report up and did not hold up the earlier one, and those that no longer look.
    pub fn regressions(&self) -> impl Iterator<Item = &Change> {
        self.changes.iter().filter(|change| change.gates)
    }

    /// Writes it as text of 80 columns.
    ///
    /// # Errors
    /// What the output says.
    pub fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let ((old, was), (new, is)) = (&self.before, &self.after);
        writeln!(out, "{was} -> {is} ({} -> {})", legible(old), legible(new))?;
        for (direction, title) in
            [(Direction::Worse, "WORSE"), (Direction::Better, "BETTER"), (Direction::Other, "OTHERWISE")]
        {
            let mut mine = self.changes.iter().filter(|change| change.direction == direction).peekable();
            if mine.peek().is_some() {
                writeln!(out, "\n{title}")?;
            }
            mine.try_for_each(|change| change.print(out))?;
        }
        if !self.still_failing.is_empty() {
            let text = format!(
                "{} that gate failed before and now: {}",
                self.still_failing.len(),
                self.still_failing.join(" ")
            );
            writeln!(out, "\n{}", wrap("", &text, 0))?;
        }
        match self.regressions().count() {
            0 if self.fell() => writeln!(out, "\nthe verdict fell"),
            0 => writeln!(out, "\nnothing that gates got worse"),
            several => writeln!(out, "\n{several} that gate got worse"),
        }
    }
}

impl Change {
    fn new(before: Option<&CheckLine>, after: Option<&CheckLine>) -> Option<Self> {
        let line = after.or(before)?;
        let outcome = |line: Option<&CheckLine>| line.map(|line| line.finding.outcome);
        let (was, is) = (outcome(before), outcome(after));
        let holds_up = |line: Option<&CheckLine>| {
            line.is_some_and(|line| line.is_gating_failure() || line.is_open_blocker())
        };
        // A failure where there was no answer is worse, and an open blocker that fails now holds up as before.
        let failed = |line: Option<&CheckLine>| line.is_some_and(CheckLine::is_gating_failure);
        let new = holds_up(after) && (!holds_up(before) || failed(after) && !failed(before));
        // Of a dependency that was taken out of the target file nothing is proven any more.
        let unseen = is == Some(Outcome::Skipped) && before.is_some_and(CheckLine::is_gating_pass);
        let more = failed(after) && losses(after) > losses(before);
        let gates = new || unseen || more;
        if was == is && !gates && holds_up(before) == holds_up(after) {
            return None;
        }
        let direction = match (was.map(rank), is.map(rank)) {
            _ if gates => Direction::Worse,
            (Some(_), Some(_)) if is == Some(Outcome::Skipped) => Direction::Other,
            (Some(was), Some(is)) if is > was => Direction::Worse,
            (Some(was), Some(is)) if is < was || holds_up(before) => Direction::Better,
            _ => Direction::Other,
        };
        Some(Self {
            id: line.id.clone(),
            slug: line.slug.clone(),
            before: was,
            after: is,
            direction,
            gates,
            summary: line.finding.summary.clone(),
        })
    }

    fn print(&self, out: &mut dyn Write) -> io::Result<()> {
        let style = match self.direction {
            Direction::Worse if self.gates => AnsiColor::Red.on_default().bold(),
            Direction::Worse => AnsiColor::Yellow.on_default().bold(),
            Direction::Better => AnsiColor::Green.on_default().bold(),
            Direction::Other => Style::new(),
        };
        let word = |outcome: Option<Outcome>| {
            outcome.map_or_else(|| "unknown".to_owned(), |outcome| outcome.to_string())
        };
        writeln!(
            out,
            "{style}{}{style:#} {} -> {}  {}",
            legible(&self.id),
            word(self.before),
            word(self.after),
            legible(&self.slug)
        )?;
        writeln!(out, "{}", wrap("    ", &self.summary, 4))
    }
}

/// Requests that were lost while pods were replaced: the one failure whose size is compared, since nobody can accept it.
fn losses(line: Option<&CheckLine>) -> u64 {
    let Some(line) = line.filter(|line| line.id == LOST) else { return 0 };
    // A JSON report holds the first cases alone; the measured value is their number.
    let measured = line.finding.measured.as_ref().and_then(|measured| measured.trim().parse().ok());
    measured.unwrap_or_else(|| line.finding.cases.iter().map(|case| case.count).sum())
}

/// From good to bad. What does not apply is as good as what passes.
fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Pass | Outcome::Skipped => 0,
        Outcome::Warn | Outcome::Waived => 1,
        Outcome::Inconclusive => 2,
        Outcome::Fail => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, Direction};
    use crate::check::{Area, Finding, LOST, Outcome, Severity};
    use crate::report::CheckLine;

    fn line(outcome: Outcome, severity: Severity) -> CheckLine {
        let finding = match outcome {
            Outcome::Pass => Finding::pass("p"),
            Outcome::Fail => Finding::fail("f"),
            Outcome::Warn => Finding::warn("w"),
            Outcome::Inconclusive => Finding::inconclusive("i"),
            Outcome::Skipped => Finding::skipped("s"),
            Outcome::Waived => Finding::fail("f").waived(),
        };
        let (id, slug, remedy) = ("GL-S999".into(), "s".into(), "r".into());
        CheckLine {
            id,
            slug,
            area: Area::Shutdown,
            severity,
            remedy,
            unselected: Vec::new(),
            unrolled: false,
            finding,
        }
    }

    fn change(was: Outcome, is: Outcome, severity: Severity) -> Option<(Direction, bool)> {
        let change = Change::new(Some(&line(was, severity)), Some(&line(is, severity)))?;
        Some((change.direction, change.gates))
    }

    #[test]
    fn what_gates_is_told_from_what_only_got_worse() {
        use Outcome::{Fail, Inconclusive, Pass, Skipped, Waived, Warn};
        use Severity::{Blocker, Major, Minor};
        assert_eq!(change(Pass, Fail, Major), Some((Direction::Worse, true)));
        assert_eq!(change(Pass, Fail, Minor), Some((Direction::Worse, false)));
        assert_eq!(change(Pass, Inconclusive, Blocker), Some((Direction::Worse, true)));
        assert_eq!(change(Pass, Inconclusive, Major), Some((Direction::Worse, false)));
        assert_eq!(change(Inconclusive, Fail, Blocker), Some((Direction::Worse, true)));
        assert_eq!(change(Fail, Inconclusive, Blocker), Some((Direction::Better, false)));
        assert_eq!(change(Fail, Warn, Blocker), Some((Direction::Better, false)));
        assert_eq!(change(Pass, Skipped, Minor), Some((Direction::Other, false)));
        assert_eq!(change(Fail, Skipped, Blocker), Some((Direction::Other, false)));
        assert_eq!(change(Fail, Fail, Blocker), None);
        assert_eq!(change(Waived, Fail, Blocker), Some((Direction::Worse, true)), "the waiver has ended");
        assert_eq!(change(Pass, Waived, Blocker), Some((Direction::Worse, false)));
    }

    #[test]
    fn a_proof_that_is_no_longer_looked_for_is_a_loss() {
        assert_eq!(
            change(Outcome::Pass, Outcome::Skipped, Severity::Blocker),
            Some((Direction::Worse, true)),
            "the dependency was taken out of the target file"
        );
    }

    #[test]
    fn a_check_whose_severity_was_raised_gates_though_it_failed_before() {
        let (minor, blocker) = (line(Outcome::Fail, Severity::Minor), line(Outcome::Fail, Severity::Blocker));
        let raised = Change::new(Some(&minor), Some(&blocker)).unwrap();
        assert_eq!((raised.direction, raised.gates), (Direction::Worse, true));
        let lowered = Change::new(Some(&blocker), Some(&minor)).unwrap();
        assert_eq!((lowered.direction, lowered.gates), (Direction::Better, false));
    }

    #[test]
    fn more_lost_requests_are_worse_though_the_check_failed_before() {
        let lost = |requests: u64| {
            let mut line = line(Outcome::Fail, Severity::Blocker);
            line.id = LOST.into();
            line.finding = Finding::unless([crate::check::Case::at(1, "l", 2).times(requests)], "")
                .counted("lost")
                .tally("", "0");
            line
        };
        let worse = Change::new(Some(&lost(1)), Some(&lost(9_000))).unwrap();
        assert_eq!((worse.direction, worse.gates), (Direction::Worse, true));
        assert!(Change::new(Some(&lost(9_000)), Some(&lost(9_000))).is_none());
    }

    #[test]
    fn a_failure_of_a_check_that_nobody_knew_is_new() {
        let failed = Change::new(None, Some(&line(Outcome::Fail, Severity::Blocker))).unwrap();
        assert_eq!((failed.direction, failed.gates), (Direction::Worse, true));
        let gone = Change::new(Some(&line(Outcome::Fail, Severity::Blocker)), None).unwrap();
        assert_eq!((gone.direction, gone.gates), (Direction::Other, false));
    }
}
