//! The liveness probe succeeds while the pod works.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::config::Probe;
use crate::evidence::ProbeTarget;
use crate::plan::Needs;
use crate::timeline::{Act, Kind, PodLife, Restart, Timeline};

use super::ready_means_answering::UNREACHABLE;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H202",
    slug: "liveness-answers",
    area: Area::Health,
    severity: Severity::Blocker,
    why: "A liveness probe that fails while nothing is wrong restarts pods in the middle of their work.",
    how: "An agent asks each pod its declared liveness probe every 250 ms and as the kubelet does, from Ready until the deletion: from there on the kubelet asks it no more. As long without a success as the declared period and failureThreshold say is a failure. An exec probe is read from the restarts of its container. An answer during the drain that says failure is told, and judged by nobody.",
    remedy: "Answer liveness from the process alone, at once, whatever the load.",
    rests_on: &[Kind::Prober, Kind::Load, Kind::Watch, Kind::Validator, Kind::Target, Kind::Clock],
    needs: Needs::Observation,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let Some(probe) = &timeline.plan().target.liveness else {
        return Finding::skipped("no livenessProbe is declared: see GL-H002");
    };
    if probe.can_be_asked() { asked(timeline, probe) } else { by_restarts(timeline, probe) }
}

fn asked(timeline: &Timeline, probe: &Probe) -> Finding {
    let (mut wrong, mut replaced, mut told) = (Vec::new(), Vec::new(), Vec::new());
    let mut asked = 0;
    for pod in &timeline.pods {
        let Some(ready) = pod.became_ready() else { continue };
        let deleted = timeline.deleted(&pod.name);
        // What faults do to liveness has a check of its own: GL-H206.
        for window in timeline.in_peace((ready, deleted)) {
            let (failing, answers) = timeline.failing(&pod.name, ProbeTarget::Liveness, window);
            asked += answers;
            for stretch in failing {
                let (name, seconds, said) = (&pod.name, stretch.seconds(), &stretch.said);
                let text = format!("{probe} of {name} answered {said} for {seconds:.1} s");
                if stretch.acts(probe) {
                    let of = if timeline.is_judged(pod) { &mut wrong } else { &mut replaced };
                    of.push(Case::over((stretch.from, stretch.to), text, stretch.line).of(name));
                } else {
                    told.push(format!("too short for the kubelet to act: {text}"));
                }
            }
        }
        let draining = timeline.load.probes_of(&pod.name, ProbeTarget::Liveness, (deleted, i64::MAX));
        let failure = draining.map(|(_, probe)| probe).find(|p| p.answer.is_ok() && !p.succeeded());
        told.extend(failure.map(|p| format!("{} answered {} while it drained", pod.name, p.said())));
    }
    if asked == 0 {
        return Finding::inconclusive("no Ready pod could be asked");
    }
    if !timeline.was_answered(ProbeTarget::Liveness) {
        return Finding::inconclusive(UNREACHABLE);
    }
    let limit = format!("0 of {} s or more", probe.gives_up_after_s());
    Finding::of_both(wrong, replaced, format!("{probe} succeeded all the time ({asked} times)"))
        .tally("stretches without a success", limit)
        .details(told.into_iter().take(5))
}

fn by_restarts(timeline: &Timeline, probe: &Probe) -> Finding {
    if timeline.pods.is_empty() {
        return Finding::inconclusive("no pod was seen");
    }
    let all = timeline.pods.iter().flat_map(|pod| pod.restarts.iter().map(move |restart| (pod, restart)));
    let in_peace = |at: i64| timeline.in_peace((at, at + 1)).next().is_some();
    let seen = all.filter(|(_, r)| r.serves && in_peace(r.at));
    let (own, replaced): (Vec<_>, Vec<_>) = seen.partition(|(pod, _)| timeline.is_judged(pod));
    let case = |(pod, restart): (&PodLife, &Restart)| {
        let text = format!("{probe}: {} was restarted", pod.name);
        Case::over(timeline.cause_of(Act::Restarted, restart.at), text, restart.line).of(&pod.name)
    };
    let cases = |of: Vec<_>| of.into_iter().map(case).collect();
    let pass = format!("{probe} restarted no container of {} pods", timeline.pods.len());
    Finding::of_both(cases(own), cases(replaced), pass).tally("restarts", "0")
}
