//! The parts of the experiment as a plan has them: what each needs, takes and proves.

use std::fmt;
use std::time::Duration;

use super::super::circuit::Circuit;
use super::super::{degraded, loss, trials};
use crate::checks::ALL;
use crate::plan::{Part, Plan, Reach};

/// One part.
#[derive(Clone, Debug)]
pub struct PlannedPart {
    /// Which.
    pub part: Part,
    /// How it stands in the plan.
    pub standing: Standing,
    /// Codes of the checks that cannot do without it.
    pub proves: Vec<&'static str>,
}

/// How a part stands in a plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is done, and takes so long at least.
    Done(Duration),
    /// It was not selected.
    Unselected,
    /// What it needs is not declared.
    Undeclared,
}

/// All parts, in the order in which a run does them.
pub(super) fn parts(plan: &Plan, per_pod: f64) -> Vec<PlannedPart> {
    let planned =
        |part: Part| PlannedPart { part, standing: standing(plan, per_pod, part), proves: proves(part) };
    Part::ALL.into_iter().map(planned).collect()
}

fn proves(part: Part) -> Vec<&'static str> {
    ALL.iter().filter(|check| check.needs.parts().contains(&part)).map(|check| check.id).collect()
}

fn standing(plan: &Plan, per_pod: f64, part: Part) -> Standing {
    match (plan.does(part), part.is_possible(&plan.dependencies)) {
        (false, _) => Standing::Unselected,
        (true, false) => Standing::Undeclared,
        (true, true) => Standing::Done(least(plan, per_pod, part)),
    }
}

/// How long it takes at least, as if nothing were done beside it.
fn least(plan: &Plan, per_pod: f64, part: Part) -> Duration {
    let breakers = plan.dependencies.iter().filter_map(|d| d.breaker.as_ref());
    let circuits: Vec<Circuit> = breakers.map(|breaker| Circuit::new(breaker, per_pod)).collect();
    let first = circuits.first();
    match part {
        Part::Hang => circuits.iter().map(|circuit| circuit.hang + circuit.hold()).sum(),
        Part::FailedTrial | Part::Hiccups => first.map_or(Duration::ZERO, |c| trials::least_of(c, part)),
        Part::Collector => trials::LEAST_WITHOUT_COLLECTOR,
        Part::Loss => loss::LOSS_MIN + loss::blackout(plan, circuits.into_iter()) + loss::PARTIAL,
        _ => {
            let selected = [part].into();
            let rounds = degraded::rounds(plan.dependencies.iter(), per_pod, &selected);
            rounds.iter().map(|round| degraded::least(round, &degraded::assignment(round, 3))).sum()
        }
    }
}

impl fmt::Display for PlannedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, standing, proves } = self;
        let proves = proves.join(", ");
        match standing {
            Standing::Done(least) => {
                let reach = match part.reach() {
                    Reach::EveryPod => "every pod, nothing beside it",
                    Reach::OnePod => "one pod, others beside it",
                };
                write!(f, "{part:<16} {:>4} s  {reach}: {proves}", least.as_secs())
            }
            Standing::Unselected => write!(f, "{part:<16} not selected, so no {proves}"),
            Standing::Undeclared => write!(f, "{part:<16} needs {}, and none is declared", part.needs()),
        }
    }
}
