//! From evidence to report: pure, so that a saved file always gives the same answer.

use crate::check::{Area, Check, Finding, Outcome, Severity};
use crate::evidence::Evidence;
use crate::report::{AreaLine, CheckLine, NotTested, Report, RunTime, Verdict};
use crate::timeline::Timeline;

/// Judges the evidence by these checks.
pub fn judge(evidence: &Evidence, checks: &[&Check]) -> Report {
    let timeline = Timeline::new(evidence);
    let lines: Vec<CheckLine> =
        checks.iter().map(|check| CheckLine::new(check, finding(&timeline, check))).collect();
    let areas: Vec<AreaLine> = Area::ALL.into_iter().map(|area| area_line(area, &lines)).collect();
    let not_tested = NotTested { systems: timeline.undeclared_systems(), left_out: timeline.left_out() };
    let target = &evidence.plan().target;
    Report {
        deployment: target.deployment.clone(),
        namespace: target.namespace.clone(),
        version: target.version.clone(),
        run: evidence.plan().run.clone(),
        validator: evidence.header.validator.clone(),
        duration: duration(&timeline),
        verdict: verdict(&lines, &not_tested),
        areas,
        not_tested,
        checks: lines,
    }
}

/// What a check found, without what falls into a disturbance of something that it rests on.
fn finding(timeline: &Timeline, check: &Check) -> Finding {
    (check.judge)(timeline).strike(|case| {
        let during = (case.from, case.to);
        let mut over = timeline.trust.during(check.rests_on, case.dependency.as_deref(), during);
        over.next().map(|disturbance| disturbance.why.clone())
    })
}

fn duration(timeline: &Timeline) -> RunTime {
    let end =
        timeline.steps.iter().filter_map(|step| step.end).max().unwrap_or(timeline.evidence.header.started);
    let least: u64 = timeline.steps.iter().map(|step| step.least_ms).sum();
    let took = end - timeline.evidence.header.started;
    RunTime { took_s: took as f64 / 1000.0, least_s: least as f64 / 1000.0 }
}

/// Severity decides: a failed blocker or major is NO-GO; a blocker without an answer is INCONCLUSIVE. What is called and
/// not declared is a warning.
fn verdict(lines: &[CheckLine], not_tested: &NotTested) -> Verdict {
    let any = |wanted: &dyn Fn(&CheckLine) -> bool| lines.iter().any(wanted);
    if any(&|line| line.is_gating_failure()) {
        Verdict::NoGo
    } else if any(&|line| line.is_open_blocker()) {
        Verdict::Inconclusive
    } else if !not_tested.systems.is_empty()
        || any(&|line| matches!(line.finding.outcome, Outcome::Fail | Outcome::Warn | Outcome::Inconclusive))
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
        .or_else(|| mine.iter().find(|line| line.is_open_blocker()));
    let outcome = match decisive {
        Some(line) if line.is_gating_failure() => Outcome::Fail,
        Some(_) => Outcome::Inconclusive,
        None => Outcome::Pass,
    };
    let (reason, remedy) = match decisive {
        Some(line) => (format!("{}: {}", line.id, line.finding.summary), Some(line.remedy.clone())),
        None => (headline(&mine), None),
    };
    let more = mine.iter().filter(|line| line.is_gating_failure() || line.is_open_blocker()).count();
    AreaLine { area, outcome, reason, remedy, more: more.saturating_sub(1) }
}

/// A passing area is told by its strongest passing proof: the last experiment, else the last check.
fn headline(mine: &[&CheckLine]) -> String {
    let passed: Vec<&&CheckLine> = mine.iter().filter(|line| line.finding.outcome == Outcome::Pass).collect();
    let experiments = passed.iter().filter(|line| line.id.as_bytes().get(4) == Some(&b'2'));
    let blocker = experiments.clone().find(|line| line.severity == Severity::Blocker);
    let chosen = blocker.or_else(|| passed.first());
    let warnings = mine.iter().filter(|line| line.finding.outcome != Outcome::Pass).count();
    let text = chosen.map_or_else(|| "nothing to judge".to_owned(), |line| line.finding.summary.clone());
    match warnings {
        0 => text,
        1 => format!("{text} (1 warning)"),
        several => format!("{text} ({several} warnings)"),
    }
}

impl CheckLine {
    fn new(check: &Check, finding: Finding) -> Self {
        Self {
            id: check.id.to_owned(),
            slug: check.slug.to_owned(),
            area: check.area,
            severity: check.severity,
            remedy: check.remedy.to_owned(),
            finding,
        }
    }
}
