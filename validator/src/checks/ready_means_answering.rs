//! While a pod is Ready, its readiness probe succeeds.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::config::Probe;
use crate::evidence::ProbeTarget;
use crate::plan::Needs;
use crate::timeline::{Act, Kind, PodLife, Timeline};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H201",
    slug: "ready-means-answering",
    area: Area::Health,
    severity: Severity::Blocker,
    why: "A pod that is Ready before it listens turns users' requests into errors on every deploy.",
    how: "An agent asks each pod its declared readiness probe every 250 ms, past the Service and as the kubelet does (200 to 399, redirects, headers, timeoutSeconds; tcpSocket; grpc), between Ready and the deletion. As long without a success as the declared period and failureThreshold say is a failure; one slow answer is none. An exec probe is read from the pod's condition Ready.",
    remedy: "Let the readiness probe succeed exactly when the pod can serve: the listener is open and the dependencies are confirmed.",
    rests_on: &[
        Kind::Prober,
        Kind::Load,
        Kind::Watch,
        Kind::Validator,
        Kind::Agent,
        Kind::Dependency,
        Kind::Target,
        Kind::Clock,
    ],
    needs: Needs::Observation,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let Some(probe) = &timeline.plan().target.readiness else {
        return Finding::skipped("no readinessProbe is declared: see GL-H001");
    };
    if probe.can_be_asked() { asked(timeline, probe) } else { by_condition(timeline, probe) }
}

/// The pod hears of its deletion before we do (measured: up to 277 ms): answers that close to it may be failures.
pub(super) const DELETION_MS: i64 = 500;

/// From Ready until the deletion. Once dependencies are taken away, another answer may be the right one: GL-H204 to
/// GL-H207.
fn windows(timeline: &Timeline, pod: &PodLife) -> Vec<(i64, i64)> {
    let Some(ready) = pod.became_ready() else { return Vec::new() };
    let ready = (ready, timeline.deleted(&pod.name).saturating_sub(DELETION_MS));
    timeline.in_peace(ready).collect()
}

fn asked(timeline: &Timeline, probe: &Probe) -> Finding {
    let (mut wrong, mut replaced, mut short) = (Vec::new(), Vec::new(), Vec::new());
    let (mut asked, mut pods) = (0, 0);
    for pod in &timeline.pods {
        let before = asked;
        for window in windows(timeline, pod) {
            let (failing, answers) = timeline.failing(&pod.name, ProbeTarget::Readiness, window);
            asked += answers;
            for stretch in failing {
                let (name, seconds, said) = (&pod.name, stretch.seconds(), &stretch.said);
                let text =
                    format!("{probe} of {name} answered {said} for {seconds:.1} s while the pod was Ready");
                if stretch.acts(probe) {
                    let of = if timeline.is_judged(pod) { &mut wrong } else { &mut replaced };
                    of.push(Case::over((stretch.from, stretch.to), text, stretch.line).of(name));
                } else {
                    short.push(format!("too short for the kubelet to act: {text}"));
                }
            }
        }
        pods += usize::from(asked > before);
    }
    if asked == 0 {
        return Finding::inconclusive("no Ready pod could be asked");
    }
    if !timeline.was_answered(ProbeTarget::Readiness) {
        return Finding::inconclusive(UNREACHABLE);
    }
    let pass = format!("{probe} succeeded whenever a pod was Ready ({asked} times, {pods} pods)");
    let limit = format!("0 of {} s or more", probe.gives_up_after_s());
    Finding::of_both(wrong, replaced, pass)
        .tally("stretches without a success", limit)
        .details(short.into_iter().take(5))
}

/// Said where the kubelet finds pods Ready that never answer us.
pub(super) const UNREACHABLE: &str = "no pod answered, though the kubelet found them Ready: the agent cannot ask as their nodes do (a NetworkPolicy, a mesh?)";

fn by_condition(timeline: &Timeline, probe: &Probe) -> Finding {
    let ready = timeline.pods.iter().filter(|pod| pod.became_ready().is_some());
    let (mut lost, mut replaced, mut pods) = (Vec::new(), Vec::new(), 0);
    for pod in ready {
        pods += 1;
        let in_peace = |at: i64| timeline.in_peace((at, at + 1)).next().is_some();
        let flaps = pod.flaps().into_iter().filter(|(at, _)| in_peace(*at));
        let of = if timeline.is_judged(pod) { &mut lost } else { &mut replaced };
        of.extend(flaps.map(|(at, line)| {
            let text = format!("{probe} failed: {} lost Ready", pod.name);
            Case::over(timeline.cause_of(Act::TookOut, at), text, line).of(&pod.name)
        }));
    }
    if pods == 0 {
        return Finding::inconclusive("no pod became Ready");
    }
    Finding::of_both(lost, replaced, format!("{probe} kept {pods} pods Ready, by their conditions"))
        .tally("times not Ready", "0")
}
