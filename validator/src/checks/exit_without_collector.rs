//! A pod stops in time although its collector is away.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::FaultFact;
use crate::plan::{Needs, Part};
use crate::timeline::{ExitKind, Kind, Termination, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-S206",
    slug: "exit-without-collector",
    area: Area::Shutdown,
    severity: Severity::Major,
    why: "A telemetry flush without a bound holds the process until SIGKILL, on the very day that the monitoring is down.",
    how: "One pod is deleted while its connections to the collector are refused: an end in order within the grace period less the kubelet's margin.",
    remedy: "Bound the flush at shutdown below the grace period and exit 0 when it does not succeed.",
    rests_on: &[Kind::Load, Kind::Watch, Kind::Validator, Kind::Agent, Kind::Target, Kind::Clock],
    needs: Needs::Parts(&[Part::Collector]),
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let away: Vec<_> = timeline.collector_away()?;
    let margin = timeline.plan().limits().kubelet_margin_s;
    let ended = |fault: &FaultFact| {
        let termination = timeline.pod(&fault.pod)?.termination.as_ref()?;
        (fault.began..=fault.ended).contains(&termination.at).then_some(termination)
    };
    let Some((fault, end)) = away.iter().find_map(|(_, fault)| Some((fault, ended(fault)?))) else {
        return Err(Unmeasured::NotSeen("no pod was deleted while its collector was away".into()));
    };
    let Termination { at, grace_s, exit: Some(exit), .. } = end else {
        return Err(Unmeasured::NotSeen(format!("the end of {} was not seen", fault.pod)));
    };
    let took = (exit.at - at) as f64 / 1000.0;
    let limit = *grace_s as f64 - margin;
    let summary = format!("{} exited with {} after {took:.1} s without its collector", fault.pod, exit.code);
    let is_wrong = exit.kind() == ExitKind::Broken || took > limit;
    let case = is_wrong.then(|| Case::over((*at, exit.at), summary.clone(), exit.line).of(&fault.pod));
    Ok(Finding::unless(case.map(|case| case.before(&fault.dependency)), summary)
        .measured(format!("exit {} after {took:.1} s", exit.code), format!("in order, within {limit} s"))
        .lines([exit.line]))
}
