//! Mutations for the checks of dependencies that are degraded.

use golive_validator::check::Outcome;
use golive_validator::config::{Opens, Seconds};
use golive_validator::evidence::{
    self, CallFact, Class, Edge, Evidence, Fact, Failure, Fault, FaultFact, Histogram, Millis, RequestFact,
    SecondFact, Step, StepFact,
};

use super::Mutation;
use super::change::{breaker, calls, edge, fault, faults, second_breaker, seconds, silence, slow_request};

pub(super) const DEGRADED: &[Mutation] = &[
    ("GL-B212", Outcome::Fail, |e| {
        let few = fault(e, |f| share(f) == Some(40));
        silence(e, &few, (few.ended - 4_000, few.ended));
    }),
    ("GL-B212", Outcome::Inconclusive, |e| {
        faults(e).filter(|f| share(f) == Some(40)).for_each(|f| f.hits = f.met / 10);
    }),
    ("GL-B212", Outcome::Inconclusive, |e| {
        // Its circuit was open before.
        let few = fault(e, |f| share(f) == Some(40));
        silence(e, &few, (few.began - 4_000, few.ended));
    }),
    ("GL-B213", Outcome::Fail, stays_closed),
    ("GL-B213", Outcome::Inconclusive, |e| {
        stays_closed(e);
        let many = fault(e, |f| share(f) == Some(60));
        calls(e, &many, (many.began, many.ended), |call| call.calls = [50; 10]);
    }),
    ("GL-B213", Outcome::Inconclusive, |e| {
        stays_closed(e);
        faults(e).filter(|f| share(f) == Some(60)).for_each(|f| f.hits = f.met / 2);
    }),
    ("GL-B213", Outcome::Inconclusive, |e| {
        // Each failed call is made once more, at a usual rate.
        stays_closed(e);
        let many = fault(e, |f| share(f) == Some(60));
        calls(e, &many, (many.began - 10_000, many.began), |call| {
            call.calls = [9, 10, 9, 10, 9, 10, 9, 10, 9, 10]
        });
        calls(e, &many, (many.began, many.ended), |call| {
            call.calls = [15, 15, 15, 15, 16, 15, 15, 15, 15, 16]
        });
        faults(e).filter(|f| share(f) == Some(60)).for_each(|f| (f.met, f.hits) = (1_600, 960));
    }),
    ("GL-B213", Outcome::Inconclusive, |e| {
        stays_closed(e);
        needs_many_calls(e);
    }),
    ("GL-B213", Outcome::Inconclusive, |e| {
        // Its calls stopped for another reason.
        faults(e).filter(|f| share(f) == Some(60)).for_each(|f| (f.hits, f.first_hit) = (0, None));
    }),
    ("GL-B213", Outcome::Fail, |e| {
        // Of another dependency nothing can be told.
        stays_closed(e);
        second_breaker(e);
        faults(e)
            .filter(|f| f.dependency == "ledger" && share(f) == Some(60))
            .for_each(|f| f.hits = f.met / 2);
    }),
    ("GL-B213", Outcome::Inconclusive, |e| {
        second_breaker(e);
        e.facts.retain(|f| !matches!(f, Fact::Fault(f) if f.dependency == "ledger" && share(f).is_some()));
    }),
    ("GL-B213", Outcome::Pass, |e| {
        // One of four processes is asked now and then, and never has as many calls as it takes.
        stays_closed(e);
        breaker(e).per_process = 4;
        let many = fault(e, |f| share(f) == Some(60));
        calls(e, &many, (many.began + 9_000, many.ended + 4_000), |call| {
            call.calls = [0, 0, 1, 0, 0, 0, 1, 0, 0, 0]
        });
    }),
    ("GL-B212", Outcome::Inconclusive, |e| {
        // Of the four circuits of a pod one may be open.
        breaker(e).per_process = 4;
    }),
    ("GL-B212", Outcome::Fail, |e| {
        // At a rate that tells them apart, one of two is.
        breaker(e).per_process = 2;
        let few = fault(e, |f| share(f) == Some(40));
        calls(e, &few, (few.began - 10_000, few.ended + 10_000), |call| call.calls = [20; 10]);
        calls(e, &few, (few.ended - 5_000, few.ended), |call| call.calls = [10; 10]);
    }),
    ("GL-B214", Outcome::Fail, |e| refuse(e, slow)),
    ("GL-B214", Outcome::Inconclusive, |e| {
        // Its pool has room for a third of the calls that are made.
        refuse(e, slow);
        let slow = fault(e, slow);
        calls(e, &slow, (slow.began, slow.ended), |call| call.calls = [1; 10]);
    }),
    ("GL-B214", Outcome::Fail, |e| {
        let slow = fault(e, slow);
        silence(e, &slow, (slow.ended - 4_000, slow.ended));
    }),
    ("GL-B215", Outcome::Fail, |e| {
        let unfound = fault(e, |f| matches!(&f.fault, Fault::Fail { with: Failure::Status(_), .. }));
        silence(e, &unfound, (unfound.ended - 4_000, unfound.ended));
    }),
    ("GL-B215", Outcome::Inconclusive, |e| {
        faults(e)
            .filter(|f| matches!(&f.fault, Fault::Fail { with: Failure::Status(_), .. }))
            .for_each(|f| f.hits = 0);
    }),
    ("GL-B216", Outcome::Inconclusive, |e| {
        let hang = faults(e).filter(|f| f.fault == Fault::Hang).last().cloned().unwrap();
        let waits = gave_up(e, hang.ended - 500, &hang.pod);
        e.facts.push(waits);
        needs_many_calls(e);
    }),
    ("GL-B216", Outcome::Fail, |e| {
        let hang = faults(e).filter(|f| f.fault == Fault::Hang).last().cloned().unwrap();
        let waits = gave_up(e, hang.ended - 500, &hang.pod);
        e.facts.push(waits);
    }),
    ("GL-B216", Outcome::Inconclusive, |e| {
        e.facts.retain(|f| !matches!(f, Fact::Request(r) if r.outcome == evidence::Outcome::GaveUp));
    }),
    ("GL-B217", Outcome::Fail, |e| {
        let slow = faults(e).filter(|f| slow(f)).last().cloned().unwrap();
        silence(e, &slow, (slow.ended - 4_000, slow.ended));
    }),
    ("GL-B217", Outcome::Inconclusive, |e| {
        // Clients of other pods alone hung up.
        let slow = faults(e).filter(|f| slow(f)).last().cloned().unwrap();
        for fact in &mut e.facts {
            if let Fact::Request(request) = fact
                && request.pod.as_ref() == Some(&slow.pod)
            {
                request.pod = Some("four".into());
            }
        }
    }),
    ("GL-B217", Outcome::Inconclusive, |e| {
        let slow = faults(e).filter(|f| slow(f)).last().cloned().unwrap();
        silence(e, &slow, (slow.ended - 4_000, slow.ended));
        calls(e, &slow, (slow.began, slow.ended), |call| call.calls = [1; 10]);
    }),
    ("GL-B218", Outcome::Fail, |e| {
        faults(e).filter(|f| fails_over(f)).for_each(|f| f.met_again = Some(f.ended - 500));
    }),
    ("GL-B218", Outcome::Inconclusive, |e| faults(e).for_each(|f| f.spared = 0)),
    ("GL-B218", Outcome::Inconclusive, |e| {
        // Each of many connections is met once, to the end.
        let over = faults(e).filter(|f| fails_over(f));
        over.for_each(|f| (f.met_again, f.last_hit, f.spared) = (None, Some(f.ended - 500), 4));
    }),
    ("GL-B218", Outcome::Skipped, |e| {
        let over = faults(e).filter(|f| fails_over(f));
        over.for_each(|f| {
            (f.met_again, f.first_hit, f.last_hit, f.hits, f.spared) = (None, None, None, 0, 0)
        });
    }),
    ("GL-B219", Outcome::Fail, |e| {
        // A pod that loses nothing soon after.
        let is_limit = |f: &&mut FaultFact| matches!(&f.fault, Fault::Fail { with: Failure::Startup(_), .. });
        let limit = faults(e).find(is_limit).unwrap();
        limit.pod = "four".into();
        let limit = limit.clone();
        silence(e, &limit, (limit.began, Millis::MAX));
    }),
    ("GL-B220", Outcome::Fail, |e| {
        refuse(e, read_only);
        let pod = fault(e, read_only).pod;
        seconds(e, (0, Millis::MAX))
            .filter(|s| s.pod.as_ref() == Some(&pod))
            .for_each(|s| s.without_retry_after = 1);
    }),
    ("GL-B220", Outcome::Warn, |e| refuse(e, read_only)),
    ("GL-B220", Outcome::Inconclusive, |e| faults(e).filter(|f| read_only(f)).for_each(|f| f.hits = 0)),
    ("GL-B220", Outcome::Skipped, |e| {
        // It is read, and holds all that is asked for.
        let cache = fault(e, read_only);
        faults(e).filter(|f| read_only(f)).for_each(|f| f.hits = 0);
        let read = |at| Fact::Call(CallFact { dependency: "redis".into(), ..call(at, &cache.pod) });
        e.facts.extend((cache.began..cache.ended).step_by(1_000).map(read));
    }),
    ("GL-E112", Outcome::Pass, |e| {
        // A few failed calls were enough to open the circuit that had to.
        faults(e).filter(|f| share(f) == Some(60)).for_each(|f| (f.met, f.hits) = (6, 4));
    }),
    ("GL-E112", Outcome::Inconclusive, |e| {
        faults(e).filter(|f| share(f) == Some(40)).for_each(|f| (f.met, f.hits) = (6, 2));
    }),
    ("GL-E112", Outcome::Inconclusive, |e| {
        faults(e).filter(|f| share(f) == Some(60)).for_each(|f| f.hits = f.met / 2);
    }),
    ("GL-E109", Outcome::Inconclusive, |e| drop(lost_untouched(e))),
    ("GL-E109", Outcome::Pass, |e| {
        let lost = lost_untouched(e);
        silence(e, &lost, (lost.began - 4_000, lost.began + 4_000));
    }),
];

/// A database is lost after the step, and its pod has nothing there to be touched.
fn lost_untouched(evidence: &mut Evidence) -> FaultFact {
    let begin = edge(evidence, Step::Loss, Edge::Begin);
    for fact in &mut evidence.facts {
        if let Fact::Step(step) = fact
            && step.step == Step::Degraded
        {
            step.at = if step.edge == Edge::Begin { begin - 20_000 } else { begin - 2_000 };
        }
    }
    let is_lost =
        |f: &&mut FaultFact| f.dependency == "postgres" && f.fault.is_loss() && f.began >= begin - 500;
    let lost = faults(evidence).find(is_lost).unwrap();
    (lost.first_hit, lost.last_hit, lost.hits) = (None, None, 0);
    lost.clone()
}

fn share(fault: &FaultFact) -> Option<u8> {
    match &fault.fault {
        Fault::Fail { with: Failure::Sqlstate(_), share_percent } => Some(*share_percent),
        _ => None,
    }
}

fn slow(fault: &FaultFact) -> bool {
    matches!(fault.fault, Fault::Slow { .. })
}

fn fails_over(fault: &FaultFact) -> bool {
    matches!(&fault.fault, Fault::Fail { with: Failure::FailOver, .. })
}

fn read_only(fault: &FaultFact) -> bool {
    matches!(&fault.fault, Fault::Fail { with: Failure::ReadOnly, .. })
}

/// The circuit lets calls through although most of them fail.
fn stays_closed(evidence: &mut Evidence) {
    let many = fault(evidence, |f| share(f) == Some(60));
    faults(evidence).filter(|f| share(f) == Some(60)).for_each(|f| f.ended += 4_000);
    let during = (many.began, many.ended + 8_000);
    silence(evidence, &many, during);
    evidence.facts.extend((during.0..during.1).step_by(1_000).map(|at| Fact::Call(call(at, &many.pod))));
}

/// In a second of the first such fault the pod says 503, with Retry-After.
fn refuse(evidence: &mut Evidence, of: fn(&FaultFact) -> bool) {
    let fault = fault(evidence, of);
    let mut during = seconds(evidence, (fault.began + 1_000, fault.ended - 1_000));
    let second = during.find(|s| s.pod.as_deref() == Some(fault.pod.as_str())).unwrap();
    second.outcomes = vec![(evidence::Outcome::Answered(503), second.due)];
}

fn needs_many_calls(evidence: &mut Evidence) {
    let window = Seconds(10.0);
    breaker(evidence).opens = Opens::ErrorRate { error_rate: 0.5, window, min_calls: 5_000 };
}

fn gave_up(evidence: &mut Evidence, due: Millis, pod: &str) -> Fact {
    Fact::Request(RequestFact {
        due,
        sent: due,
        took_ms: 1_000.0,
        outcome: evidence::Outcome::GaveUp,
        class: Class::Direct,
        pod: Some(pod.to_owned()),
        ..slow_request(evidence)
    })
}

/// What the recorded run did not have: the step, if it is from before it, and answers that nothing was found.
pub(super) fn add(evidence: &mut Evidence) {
    let has_it = evidence.facts.iter().any(|f| matches!(f, Fact::Step(s) if s.step == Step::Degraded));
    if !has_it {
        add_step(evidence);
    }
    let begin = edge(evidence, Step::Degraded, Edge::Begin);
    let unfound = Fault::Fail { with: Failure::Status(404), share_percent: 100 };
    evidence.facts.push(Fact::Fault(broken(begin, (11_000, 24_000), "four", unfound, 300)));
    let seconds = (begin - 10_000..begin + 80_000).step_by(1_000);
    evidence.facts.extend(seconds.map(|at| Fact::Call(call(at, "four"))));
    *evidence = Evidence::new(evidence.header.clone(), std::mem::take(&mut evidence.facts));
}

/// The step while dependencies are away, on pods that nobody else knows.
fn add_step(evidence: &mut Evidence) {
    let begin = edge(evidence, Step::Blackout, Edge::Begin) / 1_000 * 1_000;
    let end = begin + 40_000;
    let step = |at, edge| {
        Fact::Step(StepFact { at, step: Step::Degraded, edge, trouble: None, least_ms: Some(35_000) })
    };
    let mut facts = vec![step(begin, Edge::Begin), step(end, Edge::End)];
    for pod in ["one", "two", "three"] {
        facts.extend((begin - 10_000..end + 40_000).step_by(1_000).map(|at| Fact::Call(call(at, pod))));
        facts.extend((begin..end).step_by(1_000).map(|at| Fact::Second(answered(evidence, at, pod))));
    }
    facts.extend(all_broken(begin).into_iter().map(Fact::Fault));
    // Until the circuit is open clients of the hanging pod hang up; those of the slow one all the time.
    for at in (26_000..32_000).step_by(200) {
        facts.push(gave_up(evidence, begin + at, "one"));
    }
    for at in (10_000..18_000).step_by(200) {
        facts.push(gave_up(evidence, begin + at, "three"));
    }
    facts.append(&mut evidence.facts);
    *evidence = Evidence::new(evidence.header.clone(), facts);
    let many = fault(evidence, |f| share(f) == Some(60));
    silence(evidence, &many, (many.began + 9_000, end));
}

fn broken(begin: Millis, (from, to): (Millis, Millis), pod: &str, fault: Fault, hits: u64) -> FaultFact {
    FaultFact {
        began: begin + from,
        ended: begin + to,
        dependency: "postgres".into(),
        pod: pod.into(),
        fault,
        first_hit: Some(begin + from + 100),
        last_hit: Some(begin + from + 2_000),
        hits,
        met: 0,
        met_again: None,
        spared: 0,
        held: Vec::new(),
        others: 0,
    }
}

fn all_broken(begin: Millis) -> Vec<FaultFact> {
    let fault = |during, pod: &str, fault, hits| broken(begin, during, pod, fault, hits);
    let fail = |with, share_percent| Fault::Fail { with, share_percent };
    let memory = || Failure::Sqlstate("53200".into());
    let slow = Fault::Slow { delay_ms: 500 };
    vec![
        FaultFact { met: 400, ..fault((11_000, 24_500), "one", fail(memory(), 40), 160) },
        fault((26_000, 38_500), "one", Fault::Hang, 20),
        FaultFact {
            dependency: "redis".into(),
            ..fault((0, 8_000), "two", fail(Failure::ReadOnly, 100), 50)
        },
        FaultFact { met: 270, ..fault((11_000, 24_000), "two", fail(memory(), 60), 162) },
        fault((2_000, 10_000), "three", slow.clone(), 200),
        fault((10_000, 18_000), "three", slow, 200),
        FaultFact {
            met_again: Some(begin + 20_000),
            spared: 60,
            ..fault((18_000, 30_000), "three", fail(Failure::FailOver, 100), 12)
        },
        fault((30_300, 33_000), "three", fail(Failure::Startup("53300".into()), 100), 9),
    ]
}

fn call(at: Millis, pod: &str) -> CallFact {
    CallFact {
        at,
        dependency: "postgres".into(),
        pod: pod.into(),
        calls: [3; 10],
        pings: 0,
        set_up: 0,
        opened: 0,
        open: 8,
        sent: 0,
        received: 0,
    }
}

fn answered(evidence: &Evidence, at: Millis, pod: &str) -> SecondFact {
    let like = evidence.facts.iter().find_map(|fact| match fact {
        Fact::Second(second) if second.class == Class::Direct => Some(second.clone()),
        _ => None,
    });
    let mut times = Histogram::default();
    (0..10).for_each(|_| times.record(3.0));
    SecondFact {
        at,
        due: 10,
        on_time: 10,
        outcomes: vec![(evidence::Outcome::Answered(200), 10)],
        times,
        pod: Some(pod.into()),
        without_retry_after: 0,
        ..like.unwrap()
    }
}
