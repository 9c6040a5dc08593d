//! Liveness succeeds whatever happens to the dependencies.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{ProbeTarget, Step};
use crate::plan::{Needs, Part};
use crate::timeline::{Act, Kind, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-H206",
    slug: "liveness-independent-of-dependencies",
    area: Area::Health,
    severity: Severity::Blocker,
    why: "A liveness that asks the database restarts every pod in the middle of its outage, again and again.",
    how: "An agent asks each pod its declared liveness probe while it has lost one data store, all of them, and one again. It must not fail for as long as its period and failureThreshold say, nor for 5 s and until a store is given back; and the container that serves may not restart meanwhile, which is all that is seen of an exec probe.",
    remedy: "Answer liveness from the process alone; dependencies belong to readiness.",
    rests_on: &[Kind::Prober, Kind::Load, Kind::Watch, Kind::Validator, Kind::Target, Kind::Clock],
    needs: Needs::Parts(&[Part::Loss]),
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    let Some(probe) = &timeline.plan().target.liveness else {
        return Err(Unmeasured::NotDeclared("no livenessProbe is declared: see GL-H002".into()));
    };
    let losses = timeline.losses()?;
    let window = timeline.between(Step::Loss, Step::Partial)?;
    let mut wrong = Vec::new();
    let mut asked = 0;
    for loss in &losses {
        let window = (window.0, window.1.min(timeline.deleted(loss.pod)));
        let (failing, answers) = timeline.failing(loss.pod, ProbeTarget::Liveness, window);
        asked += answers;
        let ends = || loss.faults.iter().map(|(_, fault)| fault.ended);
        for stretch in failing.iter().filter(|stretch| stretch.would_act(probe, ends())) {
            let (pod, said, seconds) = (loss.pod, &stretch.said, stretch.seconds());
            let text =
                format!("{probe} of {pod} answered {said} for {seconds:.1} s while dependencies were away");
            wrong.push(Case::over((stretch.from, stretch.to), text, stretch.line).of(pod));
        }
        let restarts = timeline.pod(loss.pod).map(|pod| pod.restarts.as_slice()).unwrap_or_default();
        let during = restarts.iter().filter(|r| r.serves && (window.0..=window.1).contains(&r.at));
        wrong.extend(during.map(|restart| {
            let text = format!("{} was restarted while dependencies were away", loss.pod);
            Case::over(timeline.cause_of(Act::Restarted, restart.at), text, restart.line).of(loss.pod)
        }));
    }
    if asked == 0 && probe.can_be_asked() {
        return Err(Unmeasured::NotSeen("no pod could be asked while dependencies were away".into()));
    }
    let pass = format!("{probe} restarted nothing while dependencies were away");
    Ok(Finding::unless(wrong, pass).tally("stretches without a success, or restarts", "0"))
}
