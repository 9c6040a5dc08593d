//! A terminating pod says after SIGTERM that it is not ready.

use crate::check::{Area, Check, Finding, Severity};
use crate::evidence::{Millis, ProbeTarget};
use crate::timeline::{PodLife, Sigterm, Termination, Timeline};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H203",
    slug: "readiness-ends-at-termination",
    area: Area::Health,
    severity: Severity::Major,
    why: "Load balancers outside of kube-proxy go by readiness: a pod that says yes until it is gone gets requests until it is gone.",
    how: "An agent asks each terminating pod its declared readiness probe every 250 ms; it must stop succeeding soon after SIGTERM, which is the deletion and the preStop hook. Kubernetes itself takes a pod out of the ready endpoints at its deletion: a pod that goes on saying ready while it still serves, and loses nothing, is a warning; it is a failure where requests were lost meanwhile.",
    remedy: "Answer 503 to the readiness probe from SIGTERM on, while requests are still served.",
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let Some(probe) = &timeline.plan().target.readiness else {
        return Finding::skipped("no readinessProbe is declared: see GL-H001");
    };
    if !probe.can_be_asked() {
        return Finding::skipped(format!("{probe} can be asked by the kubelet alone; Kubernetes takes a pod out at its deletion"));
    }
    let terminations = timeline.terminations();
    let ends: Vec<End> = terminations.iter().filter_map(|(pod, end)| End::new(timeline, pod, end)).collect();
    if ends.is_empty() {
        return Finding::inconclusive("no terminating pod could be asked");
    }
    let limit_s = timeline.plan().policy.max_ready_after_deletion_s;
    let late: Vec<&End> = ends.iter().filter(|end| end.surely_s() > limit_s).collect();
    let unsure = ends.iter().any(|end| end.perhaps_s() > limit_s) && late.is_empty();
    let longest = ends.iter().map(End::surely_s).fold(0.0, f64::max);
    let hook = timeline.pre_stop_text();
    let lost = late.iter().filter(|end| timeline.lost_during(end.termination) > 0).count();
    let summary = format!(
        "{} of {} terminating pods stopped saying ready, the last one {longest:.1} s after SIGTERM{hook}",
        ends.len() - late.len(),
        ends.len()
    );
    let finding = match (late.is_empty(), lost) {
        (true, _) if unsure => Finding::inconclusive(format!("nobody declares when SIGTERM came{hook}")),
        (true, _) => Finding::pass(summary),
        (false, 0) => Finding::warn(format!("{summary}; nothing was lost, since Kubernetes took them out itself")),
        (false, _) => Finding::fail(format!("{summary}; requests were lost while {lost} of them stopped")),
    };
    finding.measured(format!("{longest:.1} s"), format!("{limit_s} s")).lines(late.iter().map(|end| end.line))
}

/// The last success of a terminating pod.
struct End<'a> {
    termination: &'a Termination,
    sigterm: Sigterm,
    last: Millis,
    line: usize,
}

impl<'a> End<'a> {
    /// Nothing for a pod that was there to be asked, and was not.
    fn new(timeline: &Timeline, pod: &PodLife, termination: &'a Termination) -> Option<Self> {
        let sigterm = timeline.sigterm(termination);
        let after = timeline.load.probes_of(&pod.name, ProbeTarget::Readiness, (termination.at, Millis::MAX));
        let after: Vec<_> = after.collect();
        let soon = termination.at + 2_000;
        if after.is_empty() && termination.ended().is_none_or(|ended| ended > soon) {
            return None;
        }
        let last = after.iter().rev().find(|(_, probe)| probe.succeeded());
        let (last, line) = last.map_or((termination.at, termination.line), |(line, probe)| (probe.to, *line));
        Some(Self { termination, sigterm, last, line })
    }

    /// For how long it said ready after the latest moment at which SIGTERM can have come.
    fn surely_s(&self) -> f64 {
        (self.last - self.sigterm.latest()).max(0) as f64 / 1000.0
    }

    /// And after the earliest.
    fn perhaps_s(&self) -> f64 {
        (self.last - self.sigterm.earliest()).max(0) as f64 / 1000.0
    }
}
