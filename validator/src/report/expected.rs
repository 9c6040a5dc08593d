//! What somebody knows a run must say, held against what it said: how the gate itself is proved.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::{CheckLine, Report, Verdict};
use crate::check::{Area, Outcome, Severity};

/// What a report must say, and may say. As text, a line each; `#` begins a comment:
///
/// ```text
/// verdict NO-GO           any of several verdicts is right
/// passing 2               pillars that pass
/// GL-S201 fail            a check, and its outcomes, any of which is right
/// may GL-H206             a check that may refuse the release, or be open, as well
/// say processes           words that a check must tell, in its summary or its details
/// ```
///
/// Any other check that fails, and any other blocker without an answer, is wrong. GO is also what a warning of the run itself
/// (area `run`) makes a GO-WITH-WARNINGS: that tells of the machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    verdicts: Vec<String>,
    passing: Option<usize>,
    checks: BTreeMap<String, Vec<String>>,
    may: Vec<String>,
    words: Vec<String>,
}

impl FromStr for Expected {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut expected = Self::default();
        for (number, line) in text.lines().enumerate() {
            let mut words = line.split('#').next().unwrap_or_default().split_whitespace().map(str::to_owned);
            let Some(first) = words.next() else { continue };
            let rest: Vec<String> = words.collect();
            expected.read(first, rest).map_err(|wrong| format!("line {}: {wrong}", number + 1))?;
        }
        if expected.verdicts.is_empty() {
            return Err("no line says which `verdict` is right".to_owned());
        }
        Ok(expected)
    }
}

impl Expected {
    fn read(&mut self, first: String, rest: Vec<String>) -> Result<(), String> {
        match (first.as_str(), rest.as_slice()) {
            (_, []) => return Err(format!("`{first}` alone says nothing")),
            ("verdict", _) => self.verdicts.extend(rest),
            ("may", _) => self.may.extend(rest),
            ("say", _) => self.words.push(rest.join(" ")),
            ("passing", [number]) => {
                let wrong = |_| format!("passing {number}: expected a number of pillars");
                self.passing = Some(number.parse().map_err(wrong)?);
            }
            (check, _) if check.starts_with("GL-") => {
                let known = |word: &&String| Outcome::ALL.iter().any(|outcome| outcome.to_string() == **word);
                if let Some(word) = rest.iter().find(|word| !known(word)) {
                    return Err(format!(
                        "{check} {word}: expected pass, fail, warn, inconclusive or skipped"
                    ));
                }
                self.checks.insert(first, rest);
            }
            _ => {
                return Err(format!(
                    "`{first}`: expected verdict, passing, may, say, or the code of a check"
                ));
            }
        }
        Ok(())
    }

    /// What the report says that is not as expected, a line each.
    pub fn wrongs(&self, report: &Report) -> Vec<String> {
        let mut wrongs = Vec::new();
        let verdict = verdict(report).to_string();
        if !self.verdicts.contains(&verdict) {
            wrongs.push(format!("{verdict}, expected {}", self.verdicts.join(" or ")));
        }
        if let Some(passing) = self.passing.filter(|passing| *passing != report.passing()) {
            wrongs.push(format!("{}/4 passing, expected {passing}", report.passing()));
        }
        for (id, outcomes) in &self.checks {
            match report.checks.iter().find(|line| line.id == *id) {
                Some(line) if outcomes.contains(&line.finding.outcome.to_string()) => {}
                Some(line) => wrongs.push(format!("{}, expected {}", told(line), outcomes.join(" or "))),
                None => wrongs.push(format!("{id} is not in the report")),
            }
        }
        let silent = self.words.iter().filter(|words| !report.checks.iter().any(|line| tells(line, words)));
        wrongs.extend(silent.map(|words| format!("nothing says `{words}`")));
        let named = |line: &&CheckLine| self.checks.contains_key(&line.id) || self.may.contains(&line.id);
        let unrelated = report.checks.iter().filter(|line| refuses(line) && !named(line));
        wrongs.extend(unrelated.map(|line| format!("{}, expected by nobody", told(line))));
        wrongs
    }
}

/// Whether it fails, or keeps the verdict open.
fn refuses(line: &CheckLine) -> bool {
    line.finding.outcome == Outcome::Fail || line.is_open_blocker()
}

fn tells(line: &CheckLine, words: &str) -> bool {
    line.finding.summary.contains(words) || line.finding.details.iter().any(|told| told.contains(words))
}

/// Without warnings that tell of the machine.
fn verdict(report: &Report) -> Verdict {
    let of_target = report.checks.iter().filter(|line| line.area != Area::Run);
    let is_clean = of_target.clone().all(|line| !line.is_noted()) && report.not_tested.systems.is_empty();
    match report.verdict {
        Verdict::GoWithWarnings if is_clean => Verdict::Go,
        other => other,
    }
}

fn told(line: &CheckLine) -> String {
    let severity = if line.severity == Severity::Minor { " (minor)" } else { "" };
    format!("{} {}{severity}: {}", line.id, line.finding.outcome, line.finding.summary)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::check::Finding;
    use crate::checks::ALL;
    use crate::evidence::read;
    use crate::judge::judge;

    fn wrongs(expected: &str, change: impl Fn(&mut Report)) -> Vec<String> {
        let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/good.evidence.zst");
        let mut report = judge(&read(&good).unwrap(), ALL);
        change(&mut report);
        expected.parse::<Expected>().unwrap().wrongs(&report)
    }

    fn set(report: &mut Report, id: &str, finding: Finding) {
        report.checks.iter_mut().find(|line| line.id == id).unwrap().finding = finding;
    }

    #[test]
    fn what_must_be_said_must_be_and_what_nobody_expects_is_wrong() {
        let refused = |report: &mut Report| {
            report.verdict = Verdict::NoGo;
            set(report, "GL-S201", Finding::fail("7 requests were lost"));
        };
        assert_eq!(wrongs("verdict NO-GO\nGL-S201 fail # lost", refused), [""; 0]);
        assert_eq!(wrongs("verdict NO-GO\nmay GL-S201", refused), [""; 0]);
        let told = "GL-S201 fail: 7 requests were lost, expected by nobody";
        assert_eq!(wrongs("verdict NO-GO", refused), [told]);
        assert_eq!(wrongs("verdict NO-GO\nmay GL-S201\nsay requests were lost", refused), [""; 0]);
        let told = wrongs("verdict NO-GO\nmay GL-S201\nsay nobody was lost", refused);
        assert_eq!(told, ["nothing says `nobody was lost`"]);
        let told = wrongs("verdict NO-GO\nGL-S201 fail\npassing 3", |_| ());
        assert!(told[0].starts_with("GO") && told[0].ends_with("expected NO-GO"), "{told:?}");
        assert!(told.iter().any(|line| line.starts_with("GL-S201 pass:")), "{told:?}");
    }

    #[test]
    fn a_warning_of_the_run_itself_is_none_of_the_target() {
        let warned = |id: &'static str| {
            move |report: &mut Report| {
                report.verdict = Verdict::GoWithWarnings;
                report.checks.iter_mut().for_each(|line| line.finding = Finding::pass("fine"));
                set(report, id, Finding::warn("hm"));
            }
        };
        assert_eq!(wrongs("verdict GO", warned("GL-E104")), [""; 0]);
        assert_eq!(wrongs("verdict GO", warned("GL-S203")), ["GO-WITH-WARNINGS, expected GO"]);
    }

    #[test]
    fn a_line_that_says_nothing_known_is_named() {
        let refused = |text: &str| text.parse::<Expected>().unwrap_err();
        assert!(refused("verdict GO\nGL-S201 failed").contains("line 2: GL-S201 failed: expected pass"));
        assert!(refused("exit 0").contains("line 1: `exit`: expected verdict"));
        assert!(refused("# nothing").contains("verdict"));
    }
}
