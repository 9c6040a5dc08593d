//! What a run is going to do, told before anything is touched: the steps, how long, an outage for whom, and what it
//! will not be able to tell.

mod limits;
mod observed;
mod parts;
mod timeout;

use std::fmt;
use std::time::Duration;

pub use self::parts::{PlannedPart, Standing};
pub use self::timeout::in_time;
use super::circuit::Circuit;
use super::preparation::{self, QUIET};
use super::{degraded, hang, loss, trials};
use crate::config::{Need, Purpose};
use crate::evidence::Step;
use crate::plan::{Part, Place, Plan};

/// Agents start, Leases are taken, the evidence is fetched; on one machine there is nothing to wait for but the evidence.
const AROUND: Duration = Duration::from_secs(40);
const AROUND_ON_MACHINE: Duration = Duration::from_secs(5);

/// Requests per second to each pod past the Service.
const DIRECT_PER_S: f64 = 10.0;

/// What a run is going to do.
#[derive(Clone, Debug)]
pub struct Forecast {
    /// The steps in order.
    pub steps: Vec<PlannedStep>,
    /// How long it takes to begin and to end.
    pub around: Duration,
    /// The parts of the experiment, done or not.
    pub parts: Vec<PlannedPart>,
    /// What users of the target will meet, in words.
    pub outage: Vec<String>,
    /// Checks that will have no answer, with the reason and what to do about it.
    pub open: Vec<String>,
    /// What the file does not declare, so that nobody will look at it.
    pub undeclared: Vec<String>,
    /// What does it.
    pub command: &'static str,
}

/// One step.
#[derive(Clone, Debug)]
pub struct PlannedStep {
    /// Its name in reports.
    pub name: &'static str,
    /// How long it takes, about.
    pub about: Duration,
    /// What is done.
    pub what: String,
}

impl PlannedStep {
    fn new(step: Step, about: Duration, what: String) -> Self {
        Self { name: step.name(), about, what }
    }
}

/// The forecast for a plan, given how long one roll may take.
pub fn forecast(plan: &Plan, roll: Duration) -> Forecast {
    match plan.purpose {
        Purpose::Prove => proving(plan, roll),
        Purpose::Observe => observed::forecast(plan),
    }
}

fn proving(plan: &Plan, roll: Duration) -> Forecast {
    let per_pod = plan.traffic.rate / f64::from(plan.target.replicas.max(1)) + DIRECT_PER_S;
    let declared = plan.dependencies.iter().filter_map(|d| Some((d.name.as_str(), d.breaker.as_ref()?)));
    let circuits: Vec<(&str, Circuit)> =
        declared.map(|(name, breaker)| (name, Circuit::new(breaker, per_pod))).collect();
    let mut steps = rolls_in(plan, roll);
    for (number, (name, circuit)) in circuits.iter().enumerate().filter(|_| plan.does(Part::Hang)) {
        steps.extend(hang(plan, number, name, circuit));
    }
    if (circuits.is_empty() || !plan.does(Part::Hang)) && plan.can_do(Part::Collector) {
        let what = "one pod: the collector gone".to_owned();
        steps.push(PlannedStep::new(Step::Trials, trials::LEAST_WITHOUT_COLLECTOR, what));
    }
    let degraded = degraded(plan, per_pod);
    let in_part: Duration = degraded.iter().map(|step| step.about).sum();
    steps.extend(degraded);
    steps.extend(losses(plan, &circuits));
    let out = "back to the template that is to stay, without the agents; load goes on";
    steps.push(PlannedStep::new(Step::RollOut, roll, out.into()));
    Forecast {
        steps,
        around: if plan.place == Place::Machine { AROUND_ON_MACHINE } else { AROUND },
        parts: parts::parts(plan, per_pod),
        outage: outage(plan, &circuits, in_part),
        open: limits::open(plan),
        undeclared: limits::undeclared(plan),
        command: "validator run",
    }
}

fn rolls_in(plan: &Plan, roll: Duration) -> Vec<PlannedStep> {
    let rate = plan.traffic.rate;
    let candidate = plan.target.candidate.as_deref().unwrap_or("the same image");
    vec![
        PlannedStep::new(Step::Baseline, QUIET, format!("{rate} requests per second, nothing else")),
        PlannedStep::new(Step::RollIn, roll, format!("to {candidate}, behind the agents")),
        PlannedStep::new(
            Step::Learning,
            preparation::SETTLE + preparation::LEARNING,
            "no load: what still comes are health pings".into(),
        ),
        PlannedStep::new(Step::Quiet, QUIET, "load through the agents, nothing else".into()),
    ]
}

fn hang(plan: &Plan, number: usize, name: &str, circuit: &Circuit) -> [PlannedStep; 2] {
    let pods = usize::try_from(plan.target.replicas).unwrap_or(1);
    let trials_of = |parts| trials::least(circuit, &trials::assignment(pods, parts));
    let trials = if number == 0 { trials_of(&plan.parts) } else { trials_of(&[Part::Hang].into()) };
    let before = hang::until_clean(number, circuit);
    [
        PlannedStep::new(
            Step::Hang,
            before + circuit.hang,
            format!("no call to {name} is answered, pings are"),
        ),
        PlannedStep::new(
            Step::Trials,
            trials,
            format!("each pod: trials at {name}, and what else was selected"),
        ),
    ]
}

/// Each dependency that is degraded, and how.
fn degraded(plan: &Plan, per_pod: f64) -> Vec<PlannedStep> {
    let pods = usize::try_from(plan.target.replicas).unwrap_or(1);
    let rounds = degraded::rounds(plan.dependencies.iter(), per_pod, &plan.parts);
    // Another round, or the roll out, waits until the circuits are closed that it has opened; a loss does not.
    let waits = |number: usize| number + 1 < rounds.len() || !plan.can_do(Part::Loss);
    let step = |(number, round): (usize, &degraded::Round)| {
        let open = if waits(number) { round.stays_open() } else { Duration::ZERO };
        let least = degraded::least(round, &degraded::assignment(round, pods));
        PlannedStep::new(Step::Degraded, least + open, round.to_string())
    };
    rounds.iter().enumerate().map(step).collect()
}

fn losses(plan: &Plan, circuits: &[(&str, Circuit)]) -> Vec<PlannedStep> {
    if !plan.can_do(Part::Loss) {
        return Vec::new();
    }
    let stores: Vec<&str> =
        plan.dependencies.iter().filter(|d| d.protocol.can_be_lost()).map(|d| d.name.as_str()).collect();
    let blackout = loss::blackout(plan, circuits.iter().map(|(_, circuit)| *circuit));
    let open_for = circuits.iter().map(|(_, circuit)| circuit.open_for).max().unwrap_or(loss::PARTIAL);
    let all = stores.join(" and ");
    vec![
        PlannedStep::new(Step::Loss, loss::about(plan), format!("each pod loses one of {all}")),
        PlannedStep::new(Step::Blackout, blackout, format!("every pod is without {all}")),
        PlannedStep::new(Step::Partial, loss::PARTIAL, "each pod gets the first one back".into()),
        PlannedStep::new(Step::Recovery, open_for + loss::SETTLED, "everything is back".into()),
    ]
}

/// In the words of those who are to agree to it.
fn outage(plan: &Plan, circuits: &[(&str, Circuit)], in_part: Duration) -> Vec<String> {
    let hung = circuits.iter().filter(|_| plan.does(Part::Hang));
    let mut told: Vec<String> = hung
        .map(|(name, circuit)| {
            let (wait, fallback) = (circuit.latest.as_secs(), circuit.hang.as_secs());
            let deadline = circuit.deadline.as_secs_f64();
            format!("users of {}: up to {wait} s with answers after {deadline} s ({name} hangs), then {fallback} s of fallback answers", plan.target.service)
        })
        .collect();
    if !in_part.is_zero() {
        let (service, seconds) = (&plan.target.service, in_part.as_secs());
        told.push(format!(
            "users of {service}: about {seconds} s in which dependencies fail in part, one pod after the other or each its own way"
        ));
    }
    if plan.can_do(Part::Loss) {
        let blackout = loss::blackout(plan, circuits.iter().map(|(_, circuit)| *circuit));
        let away = (loss::LOSS_MAX + blackout + loss::PARTIAL).as_secs();
        let mut stores = plan.dependencies.iter().filter(|d| d.protocol.can_be_lost());
        let without = if stores.any(|d| d.readiness == Need::Required) {
            "without a ready pod"
        } else {
            "with fallback answers"
        };
        told.push(format!(
            "users of {}: about {away} s {without} (data stores are away)",
            plan.target.service
        ));
    }
    told.push("other clients of the dependencies: none, they do not meet the run".into());
    told
}

impl Forecast {
    /// How long the run takes, about.
    pub fn about(&self) -> Duration {
        self.around + self.steps.iter().map(|step| step.about).sum::<Duration>()
    }

    /// The same in three lines.
    pub fn brief(&self) -> [String; 3] {
        let open = match self.open.len() + self.undeclared.len() {
            0 => "every check can be conclusive".to_owned(),
            several => format!(
                "{several} things cannot be told, first: {}; `validator plan` names all",
                self.open.iter().chain(&self.undeclared).next().map_or("", String::as_str)
            ),
        };
        let minutes = self.about().as_secs_f64() / 60.0;
        let steps: Vec<&str> = self.steps.iter().map(|step| step.name).collect();
        [
            format!("plan: about {minutes:.1} min: {}", steps.join(", ")),
            format!("outage: {}", self.outage.join("; ")),
            open,
        ]
    }
}

impl fmt::Display for Forecast {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "STEPS (about {:.1} min)", self.about().as_secs_f64() / 60.0)?;
        for PlannedStep { name, about, what } in &self.steps {
            writeln!(f, "  {name:<26} {:>4} s  {what}", about.as_secs())?;
        }
        if !self.parts.is_empty() {
            writeln!(f, "\nPARTS")?;
        }
        self.parts.iter().try_for_each(|part| writeln!(f, "  {part}"))?;
        for (title, lines) in [
            ("OUTAGE", &self.outage),
            ("CANNOT BE CONCLUSIVE", &self.open),
            ("NOT DECLARED", &self.undeclared),
        ] {
            if !lines.is_empty() {
                writeln!(f, "\n{title}")?;
                lines.iter().try_for_each(|line| writeln!(f, "  - {line}"))?;
            }
        }
        writeln!(f, "\nNothing was touched. The same with `{}` does it.", self.command)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::tests::header;

    fn told(rate: f64, change: impl Fn(&mut Plan)) -> Forecast {
        let mut plan = header().plan;
        plan.traffic.rate = rate;
        plan.traffic.requests = vec![crate::config::RequestSpec::get("/".parse().unwrap()).unwrap()];
        change(&mut plan);
        forecast(&plan, Duration::from_secs(40))
    }

    #[test]
    fn at_a_rate_that_is_enough_nothing_of_the_breaker_stays_open() {
        let told = told(200.0, |_| {});
        assert!(
            !told.open.iter().any(|line| line.contains("GL-B") || line.contains("GL-S201")),
            "{:?}",
            told.open
        );
        assert!(told.steps.iter().any(|step| step.name == "hanging database"));
        let degraded = told.steps.iter().find(|step| step.name == "degraded dependencies").unwrap();
        assert!((30..=40).contains(&degraded.about.as_secs()) && degraded.what.contains("failing over"));
        assert!((200..480).contains(&told.about().as_secs()), "{:?}", told.about());
    }

    #[test]
    fn a_quick_run_takes_five_minutes_at_most_and_says_what_it_leaves_out() {
        let quick = told(200.0, |plan| plan.parts = Part::QUICK.into());
        assert!(quick.about() <= Duration::from_mins(5), "{:?}", quick.about());
        assert!(quick.about() + Duration::from_mins(1) < told(200.0, |_| {}).about());
        assert!(quick.steps.iter().all(|step| step.name != Step::Degraded.name()));
        let text = quick.to_string();
        assert!(text.contains("hiccups          not selected, so no GL-B208"), "{text}");
        assert!(text.contains("s  every pod, nothing beside it: GL-H204, GL-H205"), "{text}");
    }

    #[test]
    fn a_second_breaker_waits_until_the_circuits_before_the_first_are_closed() {
        let told = told(200.0, |plan| {
            let mut second = plan.dependencies[0].clone();
            second.name = "ledger".into();
            plan.dependencies.push(second);
        });
        let degraded: Vec<u64> = told
            .steps
            .iter()
            .filter(|step| step.name == Step::Degraded.name())
            .map(|s| s.about.as_secs())
            .collect();
        assert_eq!(degraded.len(), 2);
        assert!(degraded[0] >= degraded[1] + 30, "{degraded:?}");
    }

    #[test]
    fn no_roll_begins_while_a_circuit_is_open_that_the_run_has_opened() {
        let about = |parts: &[Part]| {
            let told = told(200.0, |plan| plan.parts = parts.iter().copied().collect());
            told.steps.iter().find(|step| step.name == Step::Degraded.name()).unwrap().about.as_secs()
        };
        let (followed, last) = (about(&[Part::FailingCalls, Part::Loss]), about(&[Part::FailingCalls]));
        assert_eq!(last, followed + 30, "the open time");
        assert!(about(&[Part::SlowCalls]) < 30, "it opens none");
    }

    #[test]
    fn a_rate_at_which_no_pause_is_seen_is_told() {
        let told = told(2.0, |plan| {
            plan.target.replicas = 30;
            plan.dependencies[0].breaker.as_mut().unwrap().per_process = 4;
        });
        let pause = told.open.iter().find(|line| line.contains("GL-B212, B214, B215 and B217")).unwrap();
        assert!(pause.contains("stop for 3 s"), "{pause}");
    }

    #[test]
    fn a_low_rate_is_told_with_the_rate_that_would_do() {
        let told = told(2.0, |plan| plan.target.replicas = 30);
        let power = told.open.iter().find(|line| line.contains("GL-S201")).unwrap();
        assert!(power.contains("requests per second"), "{power}");
    }

    #[test]
    fn calls_fewer_than_min_calls_are_told() {
        let few = |plan: &mut Plan| {
            let json = serde_json::json!({ "errorRate": 0.5, "window": "10s", "minCalls": 5000, "deadline": "3s", "openFor": "30s", "trials": 1 });
            plan.dependencies[0].breaker = Some(serde_json::from_value(json).unwrap());
        };
        let told = told(200.0, few);
        assert!(told.open.iter().any(|line| line.contains("minCalls 5000")), "{:?}", told.open);
    }

    #[test]
    fn without_dependencies_nothing_is_broken_and_that_is_said() {
        let told = told(200.0, |plan| plan.dependencies.clear());
        assert!(told.steps.iter().all(|step| step.name != "hanging database"));
        assert!(told.undeclared.iter().any(|line| line.contains("no dependency")), "{:?}", told.undeclared);
    }
}
