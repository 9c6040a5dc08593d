//! From evidence to report: pure, so that a saved file always gives the same answer.

mod waivers;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::check::{Area, Case, Check, Finding, Outcome, Severity};
use crate::config::Day;
use crate::evidence::Evidence;
use crate::plan::Part;
use crate::report::{AreaLine, CheckLine, NotTested, Report, Verdict, WaiverLine};
use crate::timeline::{About, Timeline};

/// Judges the evidence by these checks and by the policy that stands in it. A waiver holds if it did on the day of the run, so
/// that the same evidence has the same verdict on any other.
pub fn judge(evidence: &Evidence, checks: &[&Check]) -> Report {
    let timeline = Timeline::new(evidence);
    let mut lines: Vec<CheckLine> = checks.iter().map(|check| line(&timeline, check)).collect();
    let waivers = waivers::apply(timeline.plan(), Day::of(evidence.header.started), &mut lines);
    let areas: Vec<AreaLine> = Area::ALL.into_iter().map(|area| area_line(area, &lines)).collect();
    let verdict = verdict(&lines, &NotTested::new(&timeline, &lines), &waivers);
    Report::new(&timeline, verdict, areas, lines, waivers)
}

/// What a failure of a check means: by the policy, where it may say so and does.
fn weight(timeline: &Timeline, check: &Check) -> Severity {
    let chosen = timeline.plan().policy.spec.weight(check.id, check.severity);
    if check.can_be_waived() { chosen } else { check.severity }
}

/// What a check found. What rests on rolls or parts of the experiment that were not done proves nothing; only a failure that
/// showed without some of the parts is one.
fn line(timeline: &Timeline, check: &Check) -> CheckLine {
    let (plan, weight) = (timeline.plan(), weight(timeline, check));
    if !plan.purpose.proves() && !check.needs.can_be_observed() {
        let skipped = CheckLine::new(check, weight, Finding::skipped(UNROLLED), Vec::new());
        return CheckLine { unrolled: true, ..skipped };
    }
    let missing = plan.missing(check.needs);
    if missing.is_empty() {
        return CheckLine::new(check, weight, finding(timeline, check), missing);
    }
    let shown = (missing.len() < check.needs.parts().len()).then(|| finding(timeline, check));
    if let Some(failed) = shown.filter(|found| found.outcome == Outcome::Fail) {
        return CheckLine::new(check, weight, failed, Vec::new());
    }
    let names: Vec<&str> = missing.iter().map(|part| part.name()).collect();
    let told = format!("not selected: it needs {}", names.join(" and "));
    CheckLine::new(check, weight, Finding::skipped(told), missing)
}

/// Why an observing run has no answer to most checks.
const UNROLLED: &str = "observe: nothing is rolled, and no pod is led to an agent";

/// What a check found, without what falls into a disturbance of something that it rests on.
fn finding(timeline: &Timeline, check: &Check) -> Finding {
    let disturbed = |case: &Case| {
        let Case { from, to, .. } = *case;
        let moments = if case.between { vec![(from, to), (from, from), (to, to)] } else { vec![(from, to)] };
        let about = About { dependency: case.dependency.as_deref(), pod: case.pod.as_deref() };
        let by = |during| timeline.trust.explains(check.rests_on, about, during);
        moments.into_iter().find_map(by).map(|by| by.why.clone())
    };
    ask(timeline, check).strike(disturbed)
}

/// A check that breaks down has no answer; the others have theirs, and the run its report. What broke is told on stderr.
fn ask(timeline: &Timeline, check: &Check) -> Finding {
    let asked = catch_unwind(AssertUnwindSafe(|| (check.judge)(timeline)));
    asked.unwrap_or_else(|_| {
        Finding::inconclusive("the check itself broke down: report it, with the evidence")
    })
}

/// Severity decides: a failed blocker or major is NO-GO; a blocker without an answer is INCONCLUSIVE. What was not selected, or
/// only observed, is never GO as a whole. What is called and not declared is a warning, and so is a waiver, whether it was needed or not. What
/// weighs nothing changes nothing.
fn verdict(lines: &[CheckLine], not_tested: &NotTested, waivers: &[WaiverLine]) -> Verdict {
    let any = |wanted: &dyn Fn(&CheckLine) -> bool| lines.iter().any(wanted);
    if any(&|line| line.is_gating_failure()) {
        Verdict::NoGo
    } else if any(&|line| line.is_open_blocker()) {
        Verdict::Inconclusive
    } else if any(&CheckLine::is_left_out) {
        Verdict::GoInPart
    } else if !not_tested.systems.is_empty()
        || waivers.iter().any(WaiverLine::warns)
        || any(&CheckLine::warns)
    {
        Verdict::GoWithWarnings
    } else {
        Verdict::Go
    }
}

fn area_line(area: Area, lines: &[CheckLine]) -> AreaLine {
    let mine: Vec<&CheckLine> = lines.iter().filter(|line| line.area == area).collect();
    let decisive = mine
        .iter()
        .find(|line| line.is_gating_failure() && line.severity == Severity::Blocker)
        .or_else(|| mine.iter().find(|line| line.is_gating_failure()))
        .or_else(|| mine.iter().find(|line| line.is_open_blocker()))
        .or_else(|| mine.iter().find(|line| line.is_waived_proof()));
    let gates = |line: &&&CheckLine| line.is_left_out() && line.severity.gates();
    let left_out = mine.iter().filter(gates).count();
    let outcome = match decisive {
        Some(line) if line.is_gating_failure() => Outcome::Fail,
        Some(line) if line.is_open_blocker() => Outcome::Inconclusive,
        Some(_) => Outcome::Waived,
        None if left_out > 0 => Outcome::Skipped,
        None => Outcome::Pass,
    };
    let (reason, remedy) = match (decisive, left_out) {
        (Some(line), _) => (format!("{}: {}", line.id, line.finding.summary), Some(line.remedy.clone())),
        (None, 0) => (headline(&mine), None),
        (None, _) => {
            let why = if mine.iter().any(|line| line.unrolled) { "need a roll" } else { "were not selected" };
            (format!("{left_out} of {} checks {why}; {}", mine.len(), headline(&mine)), None)
        }
    };
    let alike = |line: &&&CheckLine| match outcome {
        Outcome::Waived => line.is_waived_proof(),
        _ => line.is_gating_failure() || line.is_open_blocker(),
    };
    let more = mine.iter().filter(alike).count();
    AreaLine { area, outcome, reason, remedy, more: more.saturating_sub(1) }
}

/// A passing area is told by its strongest passing proof: the last experiment, else the last check; by why nothing in it
/// applies, if nothing does.
fn headline(mine: &[&CheckLine]) -> String {
    let passed = || mine.iter().copied().filter(|line| line.finding.outcome == Outcome::Pass);
    let is_experiment = |line: &&CheckLine| line.id.as_bytes().get(4) == Some(&b'2');
    let blocker = passed().filter(is_experiment).find(|line| line.severity == Severity::Blocker);
    let skipped = || mine.iter().copied().find(|line| line.severity == Severity::Blocker);
    let chosen = blocker.or_else(|| passed().next()).or_else(skipped);
    let told = |line: &&&CheckLine| line.warns();
    let text = chosen.map_or_else(|| "nothing to judge".to_owned(), |line| line.finding.summary.clone());
    match mine.iter().filter(told).count() {
        0 => text,
        1 => format!("{text} (1 warning)"),
        several => format!("{text} ({several} warnings)"),
    }
}

impl CheckLine {
    fn new(check: &Check, severity: Severity, finding: Finding, unselected: Vec<Part>) -> Self {
        Self {
            id: check.id.to_owned(),
            slug: check.slug.to_owned(),
            area: check.area,
            severity,
            remedy: check.remedy.to_owned(),
            unselected,
            unrolled: false,
            finding,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::evidence::{Change, Fact, Heartbeat, Millis, ObjectFact, ObjectKind, Who};
    use crate::plan::Needs;
    use crate::timeline::Kind;
    use crate::timeline::tests::header;

    const fn check(rests_on: &'static [Kind], judge: fn(&Timeline) -> Finding) -> Check {
        let (area, severity) = (Area::Shutdown, Severity::Blocker);
        Check {
            id: "GL-S999",
            slug: "s",
            area,
            severity,
            why: "",
            how: "",
            remedy: "",
            rests_on,
            needs: Needs::Observation,
            judge,
        }
    }

    const BRIEF: Check = check(&[Kind::Validator], |_| brief());
    const LONG: Check = check(&[Kind::Validator], |_| long());
    const BETWEEN: Check = check(&[Kind::Validator], |_| between());
    const OTHER: Check = check(&[Kind::Watch], |_| brief());
    const BROKEN: Check = check(&[], |_| panic!("no such pod"));
    const OF_REMOVED: Check = check(&[Kind::Target], |_| of_pod("a"));
    const OF_ANOTHER: Check = check(&[Kind::Target], |_| of_pod("b"));

    fn brief() -> Finding {
        Finding::unless([Case::over((1_000, 9_000), "brief", 2)], "none")
    }

    fn long() -> Finding {
        Finding::unless([Case::over((1_000, 31_000), "long", 2)], "none")
    }

    fn between() -> Finding {
        Finding::unless([Case::between((1_000, 31_000), "30 s", 2)], "none")
    }

    fn of_pod(pod: &str) -> Finding {
        Finding::unless([Case::over((300_000, 340_000), "no trial came", 2).of(pod)], "none")
    }

    /// A pod as it was seen, with one condition.
    fn pod(at: Millis, name: &str, condition: &str) -> Fact {
        let conditions = json!([{ "type": condition, "status": "True", "reason": "EvictionByEvictionAPI" }]);
        let object =
            json!({ "metadata": { "name": name, "uid": name }, "status": { "conditions": conditions } });
        Fact::Object(ObjectFact { at, kind: ObjectKind::Pod, change: Change::Modified, object })
    }

    /// Judged with the validator at a standstill from one moment to another.
    fn verdict(check: &Check, (from, to): (Millis, Millis)) -> Verdict {
        let beat = Heartbeat { at: to, since: from, elapsed_ms: to - from, who: Who::Validator };
        judge(&Evidence::new(header(), vec![Fact::Heartbeat(beat)]), &[check]).verdict
    }

    #[test]
    fn a_brief_case_is_struck_by_whatever_touches_it() {
        assert_eq!(verdict(&BRIEF, (8_900, 12_000)), Verdict::Inconclusive);
        assert_eq!(verdict(&BRIEF, (9_100, 12_000)), Verdict::NoGo);
    }

    #[test]
    fn a_long_case_is_struck_when_enough_of_it_was_disturbed() {
        assert_eq!(verdict(&LONG, (2_000, 7_000)), Verdict::NoGo);
        assert_eq!(verdict(&LONG, (2_000, 9_000)), Verdict::Inconclusive);
    }

    #[test]
    fn a_time_between_two_moments_is_spoilt_by_what_disturbed_either() {
        assert_eq!(verdict(&BETWEEN, (-1_500, 1_500)), Verdict::Inconclusive);
        assert_eq!(verdict(&BETWEEN, (30_500, 33_500)), Verdict::Inconclusive);
        assert_eq!(verdict(&BETWEEN, (10_000, 13_000)), Verdict::NoGo);
        assert_eq!(verdict(&LONG, (-1_500, 1_500)), Verdict::NoGo);
    }

    #[test]
    fn what_is_about_a_pod_that_somebody_else_removed_is_struck_however_long_ago_that_was() {
        let facts = vec![
            pod(0, "a", "Ready"),
            pod(0, "b", "Ready"),
            pod(10_000, "a", "DisruptionTarget"),
            pod(11_000, "c", "Ready"),
        ];
        let evidence = Evidence::new(header(), facts);
        assert_eq!(judge(&evidence, &[&OF_REMOVED]).verdict, Verdict::Inconclusive);
        assert_eq!(judge(&evidence, &[&OF_ANOTHER]).verdict, Verdict::NoGo);
    }

    #[test]
    fn a_check_that_breaks_down_has_no_answer_and_the_others_have_theirs() {
        let evidence = Evidence::new(header(), Vec::new());
        let report = judge(&evidence, &[&BROKEN, &BRIEF]);
        let outcomes: Vec<Outcome> = report.checks.iter().map(|line| line.finding.outcome).collect();
        assert_eq!(outcomes, [Outcome::Inconclusive, Outcome::Fail]);
        assert!(report.checks[0].finding.summary.contains("report it"));
    }

    #[test]
    fn a_disturbance_of_something_else_strikes_nothing() {
        assert_eq!(verdict(&OTHER, (1_000, 9_000)), Verdict::NoGo);
    }
}
