//! The grace period covers preStop, the shutdown and the kubelet's own margin.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::plan::{Needs, PreStop};
use crate::timeline::{Kind, Timeline};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-S001",
    slug: "grace-covers-shutdown",
    area: Area::Shutdown,
    severity: Severity::Major,
    why: "A grace period that ends in the middle of the drain turns every deploy into a SIGKILL.",
    how: "terminationGracePeriodSeconds must cover what the service needed in the rolls, from the deletion (its preStop hook included) to the end of the container that serves, and the kubelet's margin of 2 s. Where none was seen in them it is inconclusive; where nothing is rolled, as in `validator lint`, it must cover the declared preStop sleep, the policy's shutdown budget and the same margin. With a candidate of another image only the ends of its own pods, in the roll out, are judged.",
    remedy: "Raise terminationGracePeriodSeconds, or shorten preStop or the drain.",
    rests_on: &[Kind::Load, Kind::Watch, Kind::Validator, Kind::Agent, Kind::Target, Kind::Clock],
    needs: Needs::Rolls,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let workload = &timeline.workload;
    let margin = timeline.plan().limits().kubelet_margin_s;
    let grace = timeline.grace_s() as f64;
    let Some(longest) = timeline.longest_end_s() else {
        return if timeline.rolling().is_empty() { by_budget(timeline, grace) } else { unseen(timeline) };
    };
    let needed = longest + margin;
    let hook = timeline.pre_stop_text();
    let pass = format!("grace period {grace} s, the longest end took {longest:.1} s{hook}");
    let late = timeline.terminations_judged().into_iter().filter_map(|(pod, termination)| {
        let exit = termination.exit.as_ref()?;
        let took = (exit.at - termination.at) as f64 / 1000.0;
        let text = format!("grace period {grace} s, and {} needed {took:.1} s of it{hook}", pod.name);
        let case = Case::over((termination.at, exit.at), text, exit.line).of(&pod.name);
        (took + margin > grace).then_some(case)
    });
    Finding::unless(late, pass)
        .measured(format!("{grace} s"), format!(">= {needed:.1} s"))
        .lines([workload.line])
}

/// How long an end takes is a matter of fact once there was a roll: an allowance in its place would blame a quick service.
fn unseen(timeline: &Timeline) -> Finding {
    let lines = timeline.terminations_judged().into_iter().map(|(_, t)| t.line);
    Finding::inconclusive("no pod whose end counts was seen to the end").lines(lines)
}

/// Nothing was rolled: what is declared, and what the organisation allows for a shutdown.
fn by_budget(timeline: &Timeline, grace: f64) -> Finding {
    let policy = timeline.plan().limits();
    let line = timeline.workload.line;
    let pre_stop = match timeline.plan().target.pre_stop {
        PreStop::None => 0,
        PreStop::Sleep(seconds) => seconds,
        PreStop::Unknown => {
            let reason = "nothing was rolled, and nobody declares how long the preStop hook takes";
            return Finding::inconclusive(reason).lines([line]);
        }
    };
    let (budget, margin) = (policy.shutdown_budget_s, policy.kubelet_margin_s);
    let needed = f64::from(pre_stop) + budget + margin;
    let summary = format!(
        "grace period {grace} s, needed {needed} s (preStop {pre_stop} + shutdown {budget} + margin {margin})"
    );
    Finding::when(grace >= needed, summary.clone(), summary)
        .measured(format!("{grace} s"), format!(">= {needed} s"))
        .lines([line])
}
