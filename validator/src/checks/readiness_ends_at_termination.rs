//! A terminating pod says after SIGTERM that it is not ready.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{Millis, ProbeTarget};
use crate::plan::Needs;
use crate::timeline::{Kind, PodLife, Sigterm, Termination, Timeline};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H203",
    slug: "readiness-ends-at-termination",
    area: Area::Health,
    severity: Severity::Major,
    why: "Load balancers outside of kube-proxy go by readiness: a pod that says yes until it is gone gets requests until it is gone.",
    how: "An agent asks each terminating pod its declared readiness probe every 250 ms; it must stop succeeding soon after SIGTERM, which is the deletion and the preStop hook. Kubernetes itself takes a pod out of the ready endpoints at its deletion: a pod that goes on saying ready while it still serves, and loses nothing, is a warning; it is a failure where requests were lost meanwhile, while nothing disturbed the run. With a candidate of another image only the ends of its own pods, in the roll out, are judged.",
    remedy: "Answer 503 to the readiness probe from SIGTERM on, while requests are still served.",
    rests_on: &[Kind::Watch, Kind::Validator, Kind::Prober, Kind::Load, Kind::Target, Kind::Clock],
    needs: Needs::Rolls,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let Some(probe) = &timeline.plan().target.readiness else {
        return Finding::skipped("no readinessProbe is declared: see GL-H001");
    };
    if !probe.can_be_asked() {
        return Finding::skipped(format!(
            "{probe} can be asked by the kubelet alone; Kubernetes takes a pod out at its deletion"
        ));
    }
    let terminations = timeline.terminations_judged();
    let ends: Vec<End> = terminations.iter().filter_map(|(pod, end)| End::new(timeline, pod, end)).collect();
    if ends.is_empty() {
        return Finding::inconclusive("no terminating pod could be asked");
    }
    let limit_s = timeline.plan().limits().max_ready_after_deletion_s;
    let late = || ends.iter().filter(|end| end.surely_s() > limit_s);
    let longest = ends.iter().map(End::surely_s).fold(0.0, f64::max);
    let hook = timeline.pre_stop_text();
    if late().next().is_none() && ends.iter().any(|end| end.perhaps_s() > limit_s) {
        return Finding::inconclusive(format!("nobody declares when SIGTERM came{hook}"));
    }
    let total = ends.len();
    let pass =
        format!("{total} terminating pods stopped saying ready, at most {longest:.1} s after SIGTERM{hook}");
    let lost = late().any(|end| timeline.lost_during(end.termination).by_target > 0);
    let cases = late().map(|end| end.case(&hook, lost));
    let finding = if lost { Finding::unless(cases, pass) } else { Finding::warn_of(cases, pass) };
    finding.measured(format!("{longest:.1} s"), format!("{limit_s} s"))
}

/// The last success of a terminating pod.
struct End<'a> {
    pod: &'a str,
    termination: &'a Termination,
    sigterm: Sigterm,
    last: Millis,
    line: usize,
}

impl<'a> End<'a> {
    /// Nothing for a pod that was there to be asked, and was not.
    fn new(timeline: &Timeline, pod: &'a PodLife, termination: &'a Termination) -> Option<Self> {
        let sigterm = timeline.sigterm(termination);
        let after = timeline.load.probes_of(&pod.name, ProbeTarget::Readiness, (termination.at, Millis::MAX));
        let after: Vec<_> = after.collect();
        let soon = termination.at + 2_000;
        if after.is_empty() && termination.ended().is_none_or(|ended| ended > soon) {
            return None;
        }
        let last = after.iter().rev().find(|(_, probe)| probe.succeeded());
        let (last, line) = last.map_or((termination.at, termination.line), |(line, probe)| (probe.to, *line));
        Some(Self { pod: &pod.name, termination, sigterm, last, line })
    }

    /// For how long it said ready after the latest moment at which SIGTERM can have come.
    fn surely_s(&self) -> f64 {
        (self.last - self.sigterm.latest()).max(0) as f64 / 1000.0
    }

    /// And after the earliest.
    fn perhaps_s(&self) -> f64 {
        (self.last - self.sigterm.earliest()).max(0) as f64 / 1000.0
    }

    fn case(&self, hook: &str, lost: bool) -> Case {
        let (pod, seconds) = (self.pod, self.surely_s());
        let end = if lost {
            "and requests were lost meanwhile"
        } else {
            "nothing was lost: Kubernetes takes it out itself"
        };
        let text = format!("{pod} still said ready {seconds:.1} s after SIGTERM{hook}; {end}");
        Case::over((self.termination.at, self.last), text, self.line).of(pod)
    }
}
