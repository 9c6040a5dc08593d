//! Both rolls complete: every pod replaced, every old pod gone.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::evidence::{Step, StepTrouble};
use crate::plan::Needs;
use crate::timeline::{Kind, Timeline};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-R201",
    slug: "rollout-completes",
    area: Area::Release,
    severity: Severity::Blocker,
    why: "A roll that stops half-way leaves two versions in service.",
    how: "Rolls the candidate in and out again, and waits for updated, available replicas and the end of the last old pod. That the run's own time was over says nothing; that the deployment's was (Progressing=False) does.",
    remedy: "kubectl describe the new pods; look at the readiness probe and the image.",
    rests_on: &[
        Kind::Load,
        Kind::Watch,
        Kind::Validator,
        Kind::Agent,
        Kind::Dependency,
        Kind::Target,
        Kind::Clock,
    ],
    needs: Needs::Rolls,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let mut seconds = Vec::new();
    for step in Step::ROLLS {
        let Some(span) = timeline.step(step) else {
            return Finding::inconclusive(format!("{} did not begin", step.name()));
        };
        match &span.trouble {
            Some(StepTrouble::Stuck(why)) => {
                let during = (span.begin, span.end.unwrap_or(span.begin));
                let case = Case::over(during, format!("{}: {why}", step.name()), span.line);
                return Finding::unless([case], String::new());
            }
            Some(StepTrouble::OutOfTime(left)) => {
                return Finding::inconclusive(format!("{}: {left}", step.name())).lines([span.line]);
            }
            None => {}
        }
        let Some(end) = span.end else {
            return Finding::inconclusive(format!("the run ended during {}", step.name())).lines([span.line]);
        };
        seconds.push(format!("{:.0} s", (end - span.begin) as f64 / 1000.0));
    }
    Finding::pass(format!("both rolls completed, in {}", seconds.join(" and ")))
}
