//! The circuit of each pod before each dependency with a declared breaker, as the pod's own answers show it.

use super::{FaultView, LoadView, Unmeasured};
use crate::config::{Breaker, Dependency};
use crate::evidence::{Fault, FaultFact, Millis, Outcome, RequestFact, Step};

/// A request that takes longer than this waited for the dependency; an open circuit answers at once.
const SLOW_MS: f64 = 500.0;

/// So long nothing may wait any more before the circuit counts as open.
const QUIET_MS: Millis = 3_000;

/// One circuit under [`Fault::Hang`].
#[derive(Clone, Debug)]
pub struct Circuit<'a> {
    /// The dependency.
    pub dependency: &'a str,
    /// Its declared breaker.
    pub breaker: &'a Breaker,
    /// The pod.
    pub pod: &'a str,
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

    /// Name for the report.
    pub fn name(&self) -> String {
        format!("{} -> {}", self.pod, self.dependency)
    }
}

pub(super) fn circuits<'a>(
    dependencies: &'a [Dependency],
    faults: &FaultView<'a>,
    load: &LoadView<'a>,
) -> Vec<Circuit<'a>> {
    let mut circuits = Vec::new();
    for (line, hang) in faults.of_kind(|fault| *fault == Fault::Hang) {
        // A trial that was given up may go on as a hang of its own: the circuit is open by then.
        if circuits.iter().any(|c: &Circuit| c.pod == hang.pod && c.dependency == hang.dependency) {
            continue;
        }
        let declared = dependencies.iter().find(|d| d.name == hang.dependency);
        let Some((dependency, breaker)) = declared.and_then(|d| Some((d, d.breaker.as_ref()?))) else {
            continue;
        };
        let opening = opening(hang, load);
        let opened = if let Opening::At(at) = opening { Some(at) } else { None };
        circuits.push(Circuit {
            dependency: &dependency.name,
            breaker,
            pod: &hang.pod,
            hang,
            line,
            opening,
            trials: trials(hang, opened, faults),
        });
    }
    circuits
}

/// The last request that waited, given that for some seconds after it none did.
fn opening(hang: &FaultFact, load: &LoadView) -> Opening {
    let window = (hang.began, hang.ended);
    let seconds: Vec<_> = load.direct_seconds(&hang.pod, window).collect();
    if seconds.iter().all(|(_, second)| second.due == 0) {
        return Opening::Unseen(format!("no request was sent to {} alone while its calls hung", hang.pod));
    }
    let requests = load.direct_requests(&hang.pod, window);
    let waits =
        |r: &RequestFact| r.took_ms > SLOW_MS || !matches!(r.outcome, Outcome::Answered(_) | Outcome::Unsent);
    let told = requests.filter(|(_, r)| waits(r)).map(|(_, r)| r.due).max();
    // Under a deadline below 1 s no request is told in full: the seconds know it to half a second.
    let summed =
        seconds.iter().filter(|(_, s)| s.times.slower_than(SLOW_MS) > 0).map(|(_, s)| s.at + 500).max();
    let Some(last) = told.or(summed) else {
        return Opening::Unseen(format!("no request to {} waited for {}", hang.pod, hang.dependency));
    };
    // Requests up to 1 s stand in no line of their own: the seconds must agree.
    let later = seconds.iter().filter(|(_, second)| second.at > last && second.at + 1_000 <= hang.ended);
    let (mut seen, mut waited) = (0, 0);
    for (_, second) in later {
        seen += second.due;
        waited += second.times.slower_than(SLOW_MS);
    }
    if hang.ended - last < QUIET_MS || seen == 0 || waited > 0 { Opening::Never } else { Opening::At(last) }
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
            if let Some(reason) = self.middle.why_not(name) {
                return Err(Unmeasured::NotSeen(reason));
            }
            if !self.circuits.iter().any(|circuit| circuit.dependency == name) {
                return Err(Unmeasured::NotSeen(format!("the calls to {name} were not made to hang")));
            }
        }
        Ok(&self.circuits)
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
            lost: 0,
            outcomes: vec![(Outcome::Answered(200), 10)],
            open: 0,
            times,
            pod: Some("a".into()),
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
            hits: 1,
            held: Vec::new(),
            others: 0,
        })
    }

    fn opening(facts: Vec<Fact>) -> Opening {
        Timeline::new(&Evidence::new(header(), facts)).circuits[0].opening.clone()
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
