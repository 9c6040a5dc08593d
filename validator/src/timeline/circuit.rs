//! The circuit of each pod before each dependency with a declared breaker, as the pod's own answers show it.

use super::{CallView, FaultView, LoadView, StepSpan, Unmeasured};
use crate::config::{Breaker, Dependency, Pace};
use crate::evidence::{Fault, FaultFact, Millis, Outcome, RequestFact, SecondFact, Step};
use crate::plan::Plan;

/// A request that takes longer than this, and than is usual for it, waited for the dependency; an open circuit answers
/// at once.
const SLOW_MS: f64 = 500.0;

/// So long nothing may wait any more before the circuit counts as open, if the open time leaves as much.
const QUIET_S: f64 = 3.0;

/// Calls missing in a row that are no chance.
const PAUSED_CALLS: f64 = 15.0;

/// The share of its open time that a circuit surely lets no call through.
const OPEN_SHARE: f64 = 0.8;

/// Steps and faults are written down by different clocks, known to some milliseconds.
const CLOCKS_MS: Millis = 500;

/// Requests to each pod past the Service.
const DIRECT_PER_S: f64 = 10.0;

/// One circuit under [`Fault::Hang`].
#[derive(Clone, Debug)]
pub struct Circuit<'a> {
    /// The dependency.
    pub dependency: &'a str,
    /// Its declared breaker.
    pub breaker: &'a Breaker,
    /// The pod.
    pub pod: &'a str,
    /// How many calls it gets.
    pub pace: Pace,
    /// The fault that made the calls hang.
    pub hang: &'a FaultFact,
    /// Its line.
    pub line: usize,
    /// What became of the circuit.
    pub opening: Opening,
    /// Trials that followed, in order.
    pub trials: Vec<Trial<'a>>,
}

/// Whether a circuit opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// When the last request that still waited was due.
    At(Millis),
    /// Requests went on waiting.
    Never,
    /// The evidence does not tell, for this reason.
    Unseen(String),
}

/// One trial order and when the circuit that it met had opened.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// The fault.
    pub fact: &'a FaultFact,
    /// Its line.
    pub line: usize,
    /// When the circuit had opened, or had opened again after a failed trial.
    pub since: Option<Millis>,
}

impl Trial<'_> {
    /// When the trial call was let go on or was given up.
    pub fn over(&self) -> Option<Millis> {
        self.fact.held.first().map(|held| held.to)
    }
}

impl Circuit<'_> {
    /// When it opened, if it did.
    pub fn opened(&self) -> Option<Millis> {
        match self.opening {
            Opening::At(at) => Some(at),
            _ => None,
        }
    }

    /// When it may open, in seconds after its calls began to hang: the earliest and the latest moment.
    pub fn opens_between_s(&self) -> (f64, f64) {
        self.breaker.opens_between_s(self.pace)
    }

    /// Name for the report.
    pub fn name(&self) -> String {
        format!("{} -> {}", self.pod, self.dependency)
    }
}

/// What circuits are told by.
type Views<'v, 'a> = (&'v FaultView<'a>, &'v LoadView<'a>, &'v CallView<'a>);

pub(super) fn circuits<'a>(
    plan: &'a Plan,
    (faults, load, calls): Views<'_, 'a>,
    quiet: Option<(Millis, Millis)>,
    steps: &[StepSpan],
) -> Vec<Circuit<'a>> {
    let dependencies = &plan.dependencies;
    let mut circuits = Vec::new();
    // Later, calls hang that nobody waits for.
    let degraded = steps.iter().find(|span| span.step == Step::Degraded);
    let until = degraded.map_or(Millis::MAX, |span| span.begin - CLOCKS_MS);
    let hangs = faults.of_kind(|fault| *fault == Fault::Hang).filter(|(_, hang)| hang.began < until);
    for (line, hang) in hangs {
        // A trial that was given up may go on as a hang of its own: the circuit is open by then.
        if circuits.iter().any(|c: &Circuit| c.pod == hang.pod && c.dependency == hang.dependency) {
            continue;
        }
        let declared = dependencies.iter().find(|d| d.name == hang.dependency);
        let Some((dependency, breaker)) = declared.and_then(|d| Some((d, d.breaker.as_ref()?))) else {
            continue;
        };
        let pace = pace(hang, calls, quiet);
        let opening = opening(hang, breaker, pace, load, breaker.quiet_s(pace));
        let opened = if let Opening::At(at) = opening { Some(at) } else { None };
        circuits.push(Circuit {
            dependency: &dependency.name,
            breaker,
            pod: &hang.pod,
            pace,
            hang,
            line,
            opening,
            trials: trials(hang, opened, faults),
        });
    }
    circuits
}

/// How many calls a pod gets, as in the quiet phase, and over how many connections they go while they hang.
fn pace(hang: &FaultFact, calls: &CallView, quiet: Option<(Millis, Millis)>) -> Pace {
    let calls = calls.of(&hang.dependency, &hang.pod);
    let per_s = quiet
        .map_or(0.0, |window| calls.within(window) as f64 / ((window.1 - window.0).max(1) as f64 / 1000.0));
    Pace::new(per_s, f64::from(calls.most_open((hang.began, hang.ended))))
}

/// How long calls must stop, in ms, for it to look like an open circuit: this long, or less when its open time is
/// shorter; and how many there have to be per second.
pub fn telling_pause(breaker: Option<&Breaker>, at_most: Millis) -> (Millis, f64) {
    let open_ms = breaker.map_or(f64::MAX, |breaker| breaker.open_for.0 * 1000.0);
    let pause = at_most.min((open_ms * OPEN_SHARE) as Millis);
    (pause, PAUSED_CALLS * 1000.0 / pause as f64)
}

/// The last request that waited, given that for some seconds after it none did: so many are left of the hang once the
/// circuit has opened at the latest moment.
fn opening(hang: &FaultFact, breaker: &Breaker, pace: Pace, load: &LoadView, quiet_s: f64) -> Opening {
    let (window, slow_ms) = ((hang.began, hang.ended), |template| load.at_least_usual_ms(template, SLOW_MS));
    let seconds: Vec<_> = load.direct_seconds(&hang.pod, window).collect();
    if seconds.iter().all(|(_, second)| second.due == 0) {
        return Opening::Unseen(format!("no request was sent to {} alone while its calls hung", hang.pod));
    }
    let requests = load.direct_requests(&hang.pod, window);
    let waits = |r: &RequestFact| match r.outcome {
        // Who gives up what is no slower than usual has not waited for the dependency.
        Outcome::GaveUp => r.took_ms > load.usual_ms(r.template),
        Outcome::Answered(_) | Outcome::OtherBody(_) | Outcome::Unsent => r.took_ms > slow_ms(r.template),
        _ => true,
    };
    let told = requests.filter(|(_, r)| waits(r)).map(|(_, r)| r.due).max();
    // Under a deadline of 1 s or less not every request is told in full: the seconds know those to half a second.
    let waited = |second: &SecondFact| second.times.slower_than(slow_ms(second.template));
    let untold = seconds.iter().filter(|(_, s)| waited(s) > 0 && told.is_none_or(|told| s.at > told));
    let summed = untold.map(|(_, s)| s.at + 500).max();
    let Some(last) = summed.or(told) else {
        return Opening::Unseen(format!("no request to {} waited for {}", hang.pod, hang.dependency));
    };
    // Requests up to 1 s stand in no line of their own: the seconds must agree.
    let later = seconds.iter().filter(|(_, second)| second.at > last && second.at + 1_000 <= hang.ended);
    let (seen, slow) = later.fold((0, 0), |(seen, slow), (_, s)| (seen + s.due, slow + waited(s)));
    if hang.ended - last >= (quiet_s.clamp(Breaker::MIN_QUIET_S, QUIET_S) * 1000.0) as Millis
        && seen > 0
        && slow == 0
    {
        return Opening::At(last);
    }
    // What needs more time than the hang had has not been shown to stay closed.
    if quiet_s < Breaker::MIN_QUIET_S {
        Opening::Unseen(too_slow(hang, breaker, pace))
    } else {
        Opening::Never
    }
}

fn too_slow(hang: &FaultFact, breaker: &Breaker, pace: Pace) -> String {
    let (rate, hung) = (pace.calls_per_s, (hang.ended - hang.began) as f64 / 1000.0);
    format!(
        "{rate:.1} calls per second of {} at {} may need longer than the {hung:.0} s of the hang for {}: raise the rate",
        hang.pod, hang.dependency, breaker.opens
    )
}

fn trials<'a>(hang: &FaultFact, opened: Option<Millis>, faults: &FaultView<'a>) -> Vec<Trial<'a>> {
    let mut since = opened;
    let mut trials = Vec::new();
    let mine = faults.on(&hang.dependency, &hang.pod);
    for (line, fact) in mine.filter(|(_, f)| f.began >= hang.began && matches!(f.fault, Fault::Trial { .. }))
    {
        trials.push(Trial { fact, line, since });
        since = fact.held.first().filter(|held| held.given_up).map(|held| held.to);
    }
    trials
}

impl<'a> super::Timeline<'a> {
    /// Declared breakers, by dependency.
    pub fn breakers(&self) -> impl Iterator<Item = (&'a Dependency, &'a Breaker)> + use<'a> {
        self.plan().dependencies.iter().filter_map(|d| Some((d, d.breaker.as_ref()?)))
    }

    /// Every circuit that was put under test, or why one was not.
    pub fn tested_circuits(&self) -> Result<&[Circuit<'a>], Unmeasured> {
        if self.breakers().next().is_none() {
            return Err(Unmeasured::NotDeclared("the target file declares no circuit breaker".into()));
        }
        // Whoever was let go before the end of the hang has not shown what it does.
        self.between(Step::Hang, Step::Hang)?;
        for (dependency, _) in self.breakers() {
            let name = dependency.name.as_str();
            self.trust.was_read(name)?;
            if !self.circuits.iter().any(|circuit| circuit.dependency == name) {
                return Err(Unmeasured::NotSeen(format!("the calls to {name} were not made to hang")));
            }
        }
        self.breakers().try_for_each(|(dependency, breaker)| self.calls_enough(&dependency.name, breaker))?;
        Ok(&self.circuits)
    }

    /// Whether the load makes as many calls as a circuit needs to open. A call makes one statement at least, and so
    /// does a request. Processes of a pod share its calls.
    ///
    /// # Errors
    /// It does not, or how many come is not known.
    pub fn calls_enough(&self, dependency: &str, breaker: &Breaker) -> Result<(), Unmeasured> {
        let Some((needed, why)) = breaker.opens.needs() else { return Ok(()) };
        let plan = self.plan();
        let requests = plan.traffic.rate / f64::from(plan.target.replicas.max(1)) + DIRECT_PER_S;
        let per_pod = self.quiet_calls_per_s(dependency)?.min(requests);
        let calls = per_pod / f64::from(breaker.per_process);
        let few = || {
            format!(
                "{calls:.1} calls per second and circuit at {dependency} are fewer than {why}: raise the rate"
            )
        };
        if calls < needed { Err(Unmeasured::NotSeen(few())) } else { Ok(()) }
    }

    /// What became of the circuit while calls hung that their callers gave up before their deadline.
    pub fn abandoned_opening(&self, hang: &FaultFact, breaker: &Breaker) -> Opening {
        let pace = pace(hang, &self.calls, self.span(Step::Quiet));
        let latest = breaker.opens_between_s(pace).1 + Breaker::LATE_S;
        let hung_s = (hang.ended - hang.began) as f64 / 1000.0;
        opening(hang, breaker, pace, &self.load, hung_s - latest)
    }

    /// When the slowest circuit with this breaker has to be open, in seconds after its calls began to fail.
    pub fn opens_by_s(&self, breaker: &Breaker) -> f64 {
        let mine = self.circuits.iter().filter(|circuit| std::ptr::eq(circuit.breaker, breaker));
        mine.map(|circuit| circuit.opens_between_s().1)
            .fold(breaker.opens_between_s(Pace::FASTEST).1, f64::max)
    }

    /// How long calls of a pod must stop for it to look like an open circuit: this long, or less when the open time is
    /// shorter. Nothing can be said if the pod makes so few calls that the stretch may be chance.
    pub fn telling_pause(&self, dependency: &str, at_most: Millis) -> Result<Millis, Unmeasured> {
        let breaker = self.breakers().find(|(declared, _)| declared.name == dependency);
        let (pause, needed) = telling_pause(breaker.map(|(_, breaker)| breaker), at_most);
        let rate = self.quiet_calls_per_s(dependency)?;
        let few = || {
            let pause_s = pause as f64 / 1000.0;
            format!(
                "{rate:.1} calls per second and pod at {dependency} are too few to tell a pause of {pause_s} s"
            )
        };
        if rate < needed {
            return Err(Unmeasured::NotSeen(few()));
        }
        Ok(pause)
    }

    /// Every circuit and when it opened; without an answer if one did not, which is for its own check to say.
    pub fn opened_circuits(&self) -> Result<Vec<(&Circuit<'a>, Millis)>, Unmeasured> {
        let opened = self.tested_circuits()?.iter().map(|circuit| match &circuit.opening {
            Opening::At(at) => Ok((circuit, *at)),
            Opening::Never => {
                Err(Unmeasured::NotSeen(format!("the circuit of {} never opened", circuit.pod)))
            }
            Opening::Unseen(reason) => Err(Unmeasured::NotSeen(reason.clone())),
        });
        opened.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::Opening;
    use crate::config::Seconds;
    use crate::evidence::{
        Class, Evidence, Fact, Fault, FaultFact, Histogram, Outcome, RequestFact, SecondFact,
    };
    use crate::timeline::Timeline;
    use crate::timeline::tests::header;

    fn second(at: i64, took_ms: f64) -> Fact {
        let mut times = Histogram::default();
        (0..10).for_each(|_| times.record(took_ms));
        Fact::Second(SecondFact {
            at,
            agent: "l".into(),
            node: "n".into(),
            class: Class::Direct,
            due: 10,
            on_time: 10,
            outcomes: vec![(Outcome::Answered(200), 10)],
            open: 0,
            times,
            pod: Some("a".into()),
            template: 0,
            without_retry_after: 0,
        })
    }

    fn slow(due: i64) -> Fact {
        Fact::Request(RequestFact {
            due,
            sent: due,
            took_ms: 3_000.0,
            agent: "l".into(),
            node: "n".into(),
            class: Class::Direct,
            request: "GET /".into(),
            outcome: Outcome::Answered(503),
            error: None,
            trace_id: None,
            parent_id: None,
            pod: Some("a".into()),
            template: 0,
        })
    }

    fn hang(ended: i64) -> Fact {
        Fact::Fault(FaultFact {
            began: 0,
            ended,
            dependency: "postgres".into(),
            pod: "a".into(),
            fault: Fault::Hang,
            first_hit: Some(10),
            last_hit: Some(10),
            met: 0,
            met_again: None,
            spared: 0,
            hits: 1,
            held: Vec::new(),
            others: 0,
        })
    }

    fn opening(facts: Vec<Fact>) -> Opening {
        opening_of(30.0, facts)
    }

    fn opening_of(open_for: f64, facts: Vec<Fact>) -> Opening {
        let mut header = header();
        header.plan.dependencies[0].breaker.as_mut().unwrap().open_for = Seconds(open_for);
        Timeline::new(&Evidence::new(header, facts)).circuits[0].opening.clone()
    }

    #[test]
    fn a_short_open_time_leaves_a_short_stretch_and_that_is_enough() {
        // Opened at the latest moment that the declaration allows, and hung as long as the experiment does.
        let mut facts = vec![hang(9_890), slow(100), slow(6_900)];
        facts.extend((7..9).map(|s| second(s * 1_000, 2.0)));
        assert_eq!(opening_of(7.0, facts.clone()), Opening::At(6_900));
        assert_eq!(opening_of(30.0, facts), Opening::Never);
    }

    #[test]
    fn the_last_waiting_request_is_the_moment_of_opening() {
        let mut facts = vec![hang(20_000), slow(100), slow(6_400)];
        facts.extend((7..20).map(|s| second(s * 1_000, 2.0)));
        assert_eq!(opening(facts), Opening::At(6_400));
    }

    #[test]
    fn requests_that_wait_until_the_end_never_opened_it() {
        let mut facts = vec![hang(20_000), slow(100), slow(18_000)];
        facts.extend((0..20).map(|s| second(s * 1_000, 2.0)));
        assert_eq!(opening(facts), Opening::Never);
    }

    #[test]
    fn seconds_that_tell_of_slow_answers_are_believed() {
        let mut facts = vec![hang(20_000), slow(6_400)];
        facts.extend((7..20).map(|s| second(s * 1_000, 800.0)));
        assert_eq!(opening(facts), Opening::Never);
    }

    #[test]
    fn without_requests_to_the_pod_nothing_is_known() {
        assert!(matches!(opening(vec![hang(20_000)]), Opening::Unseen(_)));
    }
}
