//! What a check found, and how it is told.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::case::{Case, Struck};
use crate::timeline::Unmeasured;

/// What a check found.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The property holds.
    Pass,
    /// It does not hold.
    Fail,
    /// It holds, with something to know.
    Warn,
    /// The evidence does not tell.
    Inconclusive,
    /// It does not apply, for the reason given.
    Skipped,
    /// It does not hold, or nobody can tell, and the policy allows that for a time.
    Waived,
}

impl Outcome {
    /// All of them, in report order.
    pub const ALL: [Self; 6] =
        [Self::Pass, Self::Fail, Self::Warn, Self::Waived, Self::Inconclusive, Self::Skipped];
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Inconclusive => "inconclusive",
            Self::Skipped => "skipped",
            Self::Waived => "waived",
        })
    }
}

/// The judgement of one check, with its proof.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
pub struct Finding {
    /// The outcome.
    pub outcome: Outcome,
    /// One sentence.
    pub summary: String,
    /// The measured value, with its unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<String>,
    /// What it was held against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<String>,
    /// Further lines for the reader.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
    /// What a failure or a warning consists of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cases: Vec<Case>,
    /// What would have been cases, had the run not been disturbed at the time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub struck: Vec<Struck>,
    /// Lines of the evidence that it rests on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<usize>,
    #[serde(skip)]
    tally: Tally,
}

/// How the count of the cases is told.
#[derive(Clone, Debug, Default, PartialEq)]
struct Tally {
    /// What follows the count in the summary; without it the first case is the summary.
    counted: Option<String>,
    /// What follows the count in the measured value; without it that is said in other words.
    unit: Option<String>,
}

/// Lines of the evidence that a finding names at most.
const MAX_LINES: usize = 5;

impl Finding {
    /// The property holds.
    pub fn pass(summary: impl Into<String>) -> Self {
        Self::new(Outcome::Pass, summary)
    }

    /// The property does not hold, whenever one looks.
    pub fn fail(summary: impl Into<String>) -> Self {
        Self::new(Outcome::Fail, summary)
    }

    /// The property holds, with something to know.
    pub fn warn(summary: impl Into<String>) -> Self {
        Self::new(Outcome::Warn, summary)
    }

    /// The evidence does not tell.
    pub fn inconclusive(summary: impl Into<String>) -> Self {
        Self::new(Outcome::Inconclusive, summary)
    }

    /// The check does not apply.
    pub fn skipped(summary: impl Into<String>) -> Self {
        Self::new(Outcome::Skipped, summary)
    }

    /// Pass if it holds, else fail; the same measure and limit stand beside either. For what does not depend on time.
    pub fn when(holds: bool, pass: impl Into<String>, fail: impl Into<String>) -> Self {
        if holds { Self::pass(pass) } else { Self::fail(fail) }
    }

    /// Pass without a case, else fail; the first case is the summary of a failure.
    pub fn unless(cases: impl IntoIterator<Item = Case>, pass: impl Into<String>) -> Self {
        Self::of(Outcome::Fail, cases, pass)
    }

    /// Pass without a case, else warn.
    pub fn warn_of(cases: impl IntoIterator<Item = Case>, pass: impl Into<String>) -> Self {
        Self::of(Outcome::Warn, cases, pass)
    }

    /// Fail by the first cases, beside which the others are told; warn by the others alone.
    pub fn of_both(own: Vec<Case>, others: Vec<Case>, pass: impl Into<String>) -> Self {
        if own.is_empty() {
            Self::warn_of(others, pass)
        } else {
            Self::unless(own, pass).details(others.into_iter().map(|case| case.text))
        }
    }

    /// A failure is told as the number of its cases and these words, such as `of 12 requests were lost`.
    pub fn counted(mut self, words: impl Into<String>) -> Self {
        self.tally.counted = Some(words.into());
        self.told()
    }

    /// The measured value is the number of cases and this unit.
    pub fn tally(mut self, unit: impl Into<String>, limit: impl Into<String>) -> Self {
        self.tally.unit = Some(unit.into());
        self.limit = Some(limit.into());
        self.told()
    }

    /// Adds the measured value and what it was held against.
    pub fn measured(mut self, measured: impl Into<String>, limit: impl Into<String>) -> Self {
        self.measured = Some(measured.into());
        self.limit = Some(limit.into());
        self
    }

    /// Adds lines for the reader; the cases are told beside them.
    pub fn details(mut self, details: impl IntoIterator<Item = String>) -> Self {
        self.details.extend(details);
        self
    }

    /// Adds the first few of these lines of the evidence; those of the cases stand there already.
    pub fn lines(mut self, lines: impl IntoIterator<Item = usize>) -> Self {
        self.lines.extend(lines.into_iter().take(MAX_LINES));
        self
    }

    /// The same without the cases that `covered` finds a reason against: a failure without any case left cannot tell. A
    /// warning stays one, since an open verdict would be worse than what it warned of.
    pub fn strike(mut self, covered: impl Fn(&Case) -> Option<String>) -> Self {
        let mut left = Vec::new();
        for case in std::mem::take(&mut self.cases) {
            match covered(&case) {
                Some(by) => self.struck.push(Struck { case, by }),
                None => left.push(case),
            }
        }
        self.cases = left;
        match (self.struck.is_empty(), self.cases.is_empty()) {
            (true, _) => self,
            (false, false) => self.told(),
            (false, true) => {
                self.summary = format!("{}, {}", self.summary, self.reasons());
                let outcome =
                    if self.outcome == Outcome::Fail { Outcome::Inconclusive } else { self.outcome };
                Self { outcome, ..self }
            }
        }
    }

    /// The same, for which the policy has a waiver.
    pub fn waived(self) -> Self {
        Self { outcome: Outcome::Waived, ..self }
    }

    /// What the struck cases were struck by.
    fn reasons(&self) -> String {
        let mut reasons: Vec<&str> = self.struck.iter().map(|struck| struck.by.as_str()).collect();
        reasons.dedup();
        let more = match reasons.len() {
            1 => String::new(),
            several => format!(" (and {} more)", several - 1),
        };
        let which = if self.struck.len() == 1 { "but" } else { "but every time" };
        format!("{which} the run itself was disturbed: {}{more}", reasons[0])
    }

    /// The same, given what could not be told beside it: what was found stands, but a pass is none if something is open.
    /// `told` says whether anything could be told at all; if not, and nothing applies either, it is skipped.
    pub fn beside(mut self, open: &[Unmeasured], told: bool) -> Self {
        let unseen = open.iter().find(|why| matches!(why, Unmeasured::NotSeen(_)));
        let instead = unseen.or_else(|| open.first().filter(|_| !told));
        if let Some(why) = instead.filter(|_| self.outcome == Outcome::Pass) {
            let Self { details, lines, .. } = self;
            return Self { details, lines, ..why.clone().into() };
        }
        self.details.extend(open.iter().map(Unmeasured::to_string));
        self
    }

    /// Lines of the evidence that a reader should look at first.
    pub fn cited(&self) -> Vec<usize> {
        let struck = self.struck.iter().map(|struck| struck.case.line);
        let cases = self.cases.iter().map(|case| case.line).chain(struck);
        let mut lines: Vec<usize> = cases.chain(self.lines.iter().copied()).collect();
        lines.dedup();
        lines.truncate(MAX_LINES);
        lines
    }

    fn of(outcome: Outcome, cases: impl IntoIterator<Item = Case>, pass: impl Into<String>) -> Self {
        let cases: Vec<Case> = cases.into_iter().collect();
        let outcome = if cases.is_empty() { Outcome::Pass } else { outcome };
        Self { cases, ..Self::new(outcome, pass) }.told()
    }

    /// Summary and measure follow from the cases.
    fn told(mut self) -> Self {
        let count: u64 = self.cases.iter().map(|case| case.count).sum();
        if let Some(unit) = &self.tally.unit {
            self.measured = Some(format!("{count} {unit}").trim_end().to_owned());
        }
        match (self.cases.first(), &self.tally.counted) {
            (Some(_), Some(words)) => self.summary = format!("{count} {words}"),
            (Some(first), None) => self.summary.clone_from(&first.text),
            (None, _) => {}
        }
        self
    }

    fn new(outcome: Outcome, summary: impl Into<String>) -> Self {
        Self {
            outcome,
            summary: summary.into(),
            measured: None,
            limit: None,
            details: Vec::new(),
            cases: Vec::new(),
            struck: Vec::new(),
            lines: Vec::new(),
            tally: Tally::default(),
        }
    }
}

impl From<Unmeasured> for Finding {
    fn from(why: Unmeasured) -> Self {
        match why {
            Unmeasured::NotDeclared(reason) => Self::skipped(reason),
            Unmeasured::NotSeen(reason) => Self::inconclusive(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lost() -> Finding {
        let cases = [Case::at(1, "two at 1", 11).times(2), Case::at(5, "three at 5", 15).times(3)];
        Finding::unless(cases, "none").counted("of 9 were lost").tally("lost", "0")
    }

    fn at(moment: i64) -> impl Fn(&Case) -> Option<String> {
        move |case| (case.from == moment).then(|| "a late second".to_owned())
    }

    #[test]
    fn what_is_left_after_a_strike_is_told_and_counted_alone() {
        assert_eq!(
            (lost().summary.as_str(), lost().measured.as_deref()),
            ("5 of 9 were lost", Some("5 lost"))
        );
        let left = lost().strike(at(1));
        assert_eq!((left.summary.as_str(), left.measured.as_deref()), ("3 of 9 were lost", Some("3 lost")));
        assert_eq!((left.outcome, left.cited()), (Outcome::Fail, vec![15, 11]));
        assert_eq!(left.struck[0].case.text, "two at 1");
        assert_eq!(lost().strike(at(9)), lost());
    }

    #[test]
    fn a_failure_without_a_case_left_cannot_tell_and_says_what_it_was() {
        let struck = lost().strike(|_| Some("a late second".to_owned()));
        assert_eq!(struck.outcome, Outcome::Inconclusive);
        let told = "5 of 9 were lost, but every time the run itself was disturbed: a late second";
        assert_eq!(struck.summary, told);
        let passed = Finding::unless([], "none").counted("of 9 were lost").strike(|_| unreachable!());
        assert_eq!((passed.outcome, passed.summary.as_str()), (Outcome::Pass, "none"));
    }

    #[test]
    fn a_warning_without_a_case_left_stays_one_and_says_why_it_may_be_none() {
        let cases = [Case::at(1, "closed without a word", 11)];
        let struck = Finding::warn_of(cases, "none").strike(at(1));
        assert_eq!(struck.outcome, Outcome::Warn);
        let told = "closed without a word, but the run itself was disturbed: a late second";
        assert_eq!((struck.summary.as_str(), struck.struck.len()), (told, 1));
    }

    #[test]
    fn what_could_not_be_told_of_one_hides_no_failure_of_another_and_takes_a_pass_away() {
        let unseen = [Unmeasured::NotSeen("too few calls".into())];
        let none = [Unmeasured::NotDeclared("nothing is written".into())];
        let failed = lost().beside(&unseen, true);
        assert_eq!(
            (failed.outcome, failed.details.as_slice()),
            (Outcome::Fail, ["too few calls".into()].as_slice())
        );
        let passed = || Finding::pass("1 of 1");
        assert_eq!(passed().beside(&unseen, true).outcome, Outcome::Inconclusive);
        assert_eq!(passed().beside(&none, true).outcome, Outcome::Pass);
        assert_eq!(passed().beside(&none, false).outcome, Outcome::Skipped);
        assert_eq!(
            passed().beside(&[none[0].clone(), unseen[0].clone()], false).outcome,
            Outcome::Inconclusive
        );
    }

    #[test]
    fn without_a_count_the_first_case_left_is_the_summary() {
        let cases = [Case::at(1, "first", 1), Case::at(5, "second", 2)];
        assert_eq!(Finding::unless(cases, "none").strike(at(1)).summary, "second");
    }
}
