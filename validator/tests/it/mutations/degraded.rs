//! Mutations for the checks of dependencies that are degraded.

use golive_validator::check::Outcome;
use golive_validator::config::{Opens, Seconds};
use golive_validator::evidence::{
    self, CallFact, Class, Edge, Evidence, Fact, Failure, Fault, FaultFact, Millis, ObjectKind, RequestFact,
    Step,
};
use serde_json::json;

use super::Mutation;
use super::change::{breaker, calls, edge, fault, faults, second_breaker, seconds, silence, slow_request};

pub(super) const DEGRADED: &[Mutation] = &[
    ("GL-B212", Outcome::Fail, |e| {
        let few = fault(e, few_fail);
        silence(e, &few, (few.ended - 4_000, few.ended));
    }),
    ("GL-B212", Outcome::Inconclusive, |e| {
        faults(e).filter(|f| few_fail(f)).for_each(|f| f.hits = f.met / 10);
    }),
    ("GL-B212", Outcome::Inconclusive, |e| {
        // Its circuit was open before.
        let few = fault(e, few_fail);
        silence(e, &few, (few.began - 4_000, few.ended));
    }),
    ("GL-B213", Outcome::Fail, stays_closed),
    ("GL-B213", Outcome::Inconclusive, |e| {
        stays_closed(e);
        let many = fault(e, most_fail);
        calls(e, &many, (many.began, many.ended), |call| call.calls = [50; 10]);
    }),
    ("GL-B213", Outcome::Inconclusive, |e| {
        stays_closed(e);
        faults(e).filter(|f| most_fail(f)).for_each(|f| f.hits = f.met / 2);
    }),
    ("GL-B213", Outcome::Inconclusive, |e| {
        // Each failed call is made once more, at a usual rate.
        stays_closed(e);
        let many = fault(e, most_fail);
        calls(e, &many, (many.began - 10_000, many.began), |call| {
            call.calls = [9, 10, 9, 10, 9, 10, 9, 10, 9, 10]
        });
        calls(e, &many, (many.began, many.ended), |call| {
            call.calls = [15, 15, 15, 15, 16, 15, 15, 15, 15, 16]
        });
        faults(e).filter(|f| most_fail(f)).for_each(|f| (f.met, f.hits) = (1_600, 960));
    }),
    ("GL-B213", Outcome::Inconclusive, |e| {
        stays_closed(e);
        needs_many_calls(e);
    }),
    ("GL-B213", Outcome::Inconclusive, |e| {
        // Its calls stopped for another reason.
        faults(e).filter(|f| most_fail(f)).for_each(|f| (f.hits, f.first_hit) = (0, None));
    }),
    ("GL-B213", Outcome::Fail, |e| {
        // Of another dependency nothing can be told.
        stays_closed(e);
        second_breaker(e);
        faults(e).filter(|f| f.dependency == "ledger" && most_fail(f)).for_each(|f| f.hits = f.met / 2);
    }),
    ("GL-B213", Outcome::Inconclusive, |e| {
        second_breaker(e);
        e.facts.retain(|f| !matches!(f, Fact::Fault(f) if f.dependency == "ledger" && share(f).is_some()));
    }),
    ("GL-B213", Outcome::Pass, |e| {
        // One of four processes is asked now and then, and never has as many calls as it takes.
        stays_closed(e);
        breaker(e).per_process = 4;
        let many = fault(e, most_fail);
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
        let few = fault(e, few_fail);
        calls(e, &few, (few.ended - 5_000, few.ended), |call| call.calls = [1; 10]);
    }),
    ("GL-B214", Outcome::Fail, |e| {
        let slow = slowed(e);
        all_come(e, &slow);
        refuse(e, &slow);
    }),
    ("GL-B214", Outcome::Inconclusive, |e| {
        // Its pool has room for a third of the calls that are made.
        let slow = slowed(e);
        refuse(e, &slow);
        calls(e, &slow, (slow.began, slow.ended), |call| call.calls = [1; 10]);
    }),
    ("GL-B214", Outcome::Fail, |e| {
        let slow = slowed(e);
        all_come(e, &slow);
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
        let slow = fault(e, is_slow);
        all_come(e, &slow);
        silence(e, &slow, (slow.ended - 4_000, slow.ended));
    }),
    ("GL-B217", Outcome::Inconclusive, |e| {
        // Clients of other pods alone hung up.
        let slow = fault(e, is_slow);
        for fact in &mut e.facts {
            if let Fact::Request(request) = fact
                && request.pod.as_ref() == Some(&slow.pod)
            {
                request.pod = Some("four".into());
            }
        }
    }),
    ("GL-B217", Outcome::Inconclusive, |e| {
        let slow = fault(e, is_slow);
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
        let limit = fault(e, limits);
        started_again(e, &limit);
    }),
    ("GL-B219", Outcome::Fail, |e| {
        // A pod that loses nothing soon after.
        let limit = fault(e, limits);
        e.facts.retain(|f| !matches!(f, Fact::Step(s) if s.step == Step::Loss));
        e.facts.retain(|f| !matches!(f, Fact::Fault(f) if f.pod == limit.pod && f.began > limit.ended));
        silence(e, &limit, (limit.ended, Millis::MAX));
    }),
    ("GL-B220", Outcome::Fail, |e| {
        let cache = fault(e, read_only);
        refuse(e, &cache);
        seconds(e, (0, Millis::MAX))
            .filter(|s| s.pod.as_ref() == Some(&cache.pod))
            .for_each(|s| s.without_retry_after = 1);
    }),
    ("GL-B220", Outcome::Warn, |e| {
        let cache = fault(e, read_only);
        refuse(e, &cache);
    }),
    ("GL-B220", Outcome::Inconclusive, |e| {
        let cache = fault(e, read_only);
        faults(e).filter(|f| read_only(f)).for_each(|f| f.hits = 0);
        silence(e, &cache, (cache.began, cache.ended));
    }),
    // It is read, and holds all that is asked for.
    ("GL-B220", Outcome::Skipped, |e| faults(e).filter(|f| read_only(f)).for_each(|f| f.hits = 0)),
    ("GL-E112", Outcome::Pass, |e| {
        // A few failed calls were enough to open the circuit that had to.
        faults(e).filter(|f| most_fail(f)).for_each(|f| (f.met, f.hits) = (6, 4));
    }),
    ("GL-E112", Outcome::Inconclusive, |e| {
        faults(e).filter(|f| few_fail(f)).for_each(|f| (f.met, f.hits) = (6, 2));
    }),
    ("GL-E112", Outcome::Inconclusive, |e| {
        faults(e).filter(|f| most_fail(f)).for_each(|f| f.hits = f.met / 2);
    }),
    ("GL-E109", Outcome::Inconclusive, |e| drop(lost_untouched(e))),
    ("GL-E109", Outcome::Pass, |e| {
        let lost = lost_untouched(e);
        silence(e, &lost, (lost.began - 4_000, lost.began + 4_000));
    }),
];

/// A database is lost whose pod calls it, and has nothing there to be touched.
fn lost_untouched(evidence: &mut Evidence) -> FaultFact {
    let lost = faults(evidence).filter(|f| f.dependency == "postgres" && f.fault.is_loss()).last().unwrap();
    (lost.first_hit, lost.last_hit, lost.hits) = (None, None, 0);
    lost.clone()
}

fn share(fault: &FaultFact) -> Option<u8> {
    match &fault.fault {
        Fault::Fail { with: Failure::Sqlstate(_), share_percent } => Some(*share_percent),
        _ => None,
    }
}

/// Fewer than a breaker opens for.
fn few_fail(fault: &FaultFact) -> bool {
    share(fault).is_some_and(|percent| percent < 50)
}

/// More than it opens for.
fn most_fail(fault: &FaultFact) -> bool {
    share(fault).is_some_and(|percent| percent > 50)
}

fn is_slow(fault: &FaultFact) -> bool {
    matches!(fault.fault, Fault::Slow { .. })
}

/// What was slow while its clients waited: those of the first one hung up.
fn slowed(evidence: &mut Evidence) -> FaultFact {
    faults(evidence).filter(|f| is_slow(f)).last().unwrap().clone()
}

/// As many calls come while it is slow as ever.
fn all_come(evidence: &mut Evidence, slow: &FaultFact) {
    calls(evidence, slow, (slow.began - 1_000, slow.ended), |call| call.calls = [12; 10]);
}

fn fails_over(fault: &FaultFact) -> bool {
    matches!(&fault.fault, Fault::Fail { with: Failure::FailOver, .. })
}

fn read_only(fault: &FaultFact) -> bool {
    matches!(&fault.fault, Fault::Fail { with: Failure::ReadOnly, .. })
}

pub(super) fn limits(fault: &FaultFact) -> bool {
    matches!(&fault.fault, Fault::Fail { with: Failure::Startup(_), .. })
}

/// The container of the pod was started again while the fault was in force.
fn started_again(evidence: &mut Evidence, fault: &FaultFact) {
    let is_it = |fact: &&Fact| matches!(fact, Fact::Object(o) if o.kind == ObjectKind::Pod && o.object["metadata"]["name"] == fault.pod);
    let before = evidence.facts.iter().filter(is_it).rfind(|fact| fact.at() <= fault.began);
    let Some(Fact::Object(mut pod)) = before.cloned() else { unreachable!("the pod was there") };
    pod.at = fault.began + 1_000;
    pod.object["status"]["containerStatuses"][0]["restartCount"] = json!(1);
    evidence.facts.push(Fact::Object(pod));
    evidence.facts.sort_by_key(Fact::at);
}

/// The circuit lets calls through although most of them fail.
fn stays_closed(evidence: &mut Evidence) {
    let many = fault(evidence, most_fail);
    faults(evidence).filter(|f| most_fail(f)).for_each(|f| f.ended += 4_000);
    let during = (many.began, many.ended + 8_000);
    silence(evidence, &many, during);
    evidence.facts.extend((during.0..during.1).step_by(1_000).map(|at| Fact::Call(call(at, &many.pod))));
}

/// In a second of the fault its pod says 503, with Retry-After.
fn refuse(evidence: &mut Evidence, fault: &FaultFact) {
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

/// What the recorded run did not have: a dependency that answers that nothing was found.
pub(super) fn add(evidence: &mut Evidence) {
    let begin = edge(evidence, Step::Degraded, Edge::Begin);
    let began = begin + 11_000;
    evidence.facts.push(Fact::Fault(FaultFact {
        began,
        ended: began + 13_000,
        dependency: "postgres".into(),
        pod: "four".into(),
        fault: Fault::Fail { with: Failure::Status(404), share_percent: 100 },
        first_hit: Some(began + 100),
        last_hit: Some(began + 2_000),
        hits: 300,
        met: 0,
        met_again: None,
        spared: 0,
        held: Vec::new(),
        others: 0,
    }));
    let seconds = (begin - 10_000..begin + 80_000).step_by(1_000);
    evidence.facts.extend(seconds.map(|at| Fact::Call(call(at, "four"))));
    *evidence = Evidence::new(evidence.header.clone(), std::mem::take(&mut evidence.facts));
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
