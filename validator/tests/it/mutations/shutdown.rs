//! Mutations for the checks of shutdown.

use golive_validator::check::Outcome;
use golive_validator::evidence::{
    self, Class, Edge, Evidence, Fact, Fault, Held, ObjectKind, ProbeFact, ProbeTarget, RequestFact, Step,
};
use golive_validator::plan::Place;
use serde_json::json;

use super::Mutation;
use super::change::{
    another_image, closed_without_a_word, edge, faults, last_in_peace, lost_while_leaving, lost_with,
    objects, seconds, slow_request, template, terminated, terminated_before_the_roll_out,
};

pub(super) const SHUTDOWN: &[Mutation] = &[
    ("GL-S001", Outcome::Fail, |e| template(e, |spec| spec["terminationGracePeriodSeconds"] = json!(3))),
    // Enough for each end of this service, and less than the policy allows for one.
    ("GL-S001", Outcome::Inconclusive, |e| {
        template(e, |spec| spec["terminationGracePeriodSeconds"] = json!(20));
        ends_unseen(e);
    }),
    ("GL-S201", Outcome::Fail, |e| {
        let begin = edge(e, Step::RollIn, Edge::Begin) + 5_000;
        let mut news = seconds(e, (begin, begin + 5_000)).filter(|s| s.class == Class::New);
        news.next().unwrap().outcomes.push((evidence::Outcome::Reset, 1));
    }),
    ("GL-S201", Outcome::Fail, |e| {
        // Pods that are not done with their start answer 404 for a second, which the old version never did.
        let begin = edge(e, Step::RollIn, Edge::Begin) + 2_000;
        seconds(e, (begin, begin + 5_000))
            .for_each(|s| s.outcomes = vec![(evidence::Outcome::Answered(404), s.due)]);
    }),
    ("GL-S201", Outcome::Fail, |e| {
        // They answer 200 and mean an error.
        let begin = edge(e, Step::RollIn, Edge::Begin) + 2_000;
        seconds(e, (begin, begin + 5_000))
            .for_each(|s| s.outcomes = vec![(evidence::Outcome::OtherBody(200), s.due)]);
    }),
    ("GL-S201", Outcome::Pass, |e| {
        // The same, declared to be right.
        let begin = edge(e, Step::RollIn, Edge::Begin) + 2_000;
        seconds(e, (begin, begin + 5_000))
            .for_each(|s| s.outcomes = vec![(evidence::Outcome::Answered(404), s.due)]);
        e.header.plan.traffic.requests.iter_mut().for_each(|r| r.expect = vec![200, 201, 404]);
    }),
    ("GL-S201", Outcome::Pass, |e| {
        // 404 is what the old version gave as well.
        let (begin, quiet) =
            (edge(e, Step::RollIn, Edge::Begin) + 2_000, edge(e, Step::Baseline, Edge::Begin));
        for window in [(quiet, quiet + 5_000), (begin, begin + 5_000)] {
            seconds(e, window).for_each(|s| s.outcomes = vec![(evidence::Outcome::Answered(404), s.due)]);
        }
    }),
    // A session that was kept in a cache alone is not found since we let reads miss; who fails cannot do without.
    ("GL-S201", Outcome::Warn, |e| answered_from_a_cold_cache(e, evidence::Outcome::Answered(401))),
    ("GL-S201", Outcome::Fail, |e| answered_from_a_cold_cache(e, evidence::Outcome::Answered(503))),
    ("GL-S201", Outcome::Fail, |e| answered_from_a_cold_cache(e, evidence::Outcome::Reset)),
    ("GL-S201", Outcome::Warn, |e| {
        answered_from_a_cold_cache(e, evidence::Outcome::Answered(401));
        lost_with(e, Step::RollIn, evidence::Outcome::Answered(401));
    }),
    ("GL-S201", Outcome::Fail, |e| {
        // In the roll out nothing is cold.
        answered_from_a_cold_cache(e, evidence::Outcome::Answered(401));
        lost_with(e, Step::RollOut, evidence::Outcome::Answered(401));
    }),
    ("GL-S201", Outcome::Inconclusive, hardly_any_writes),
    ("GL-S201", Outcome::Inconclusive, |e| {
        // That the version before loses something makes the candidate's zero no better.
        hardly_any_writes(e);
        lost_with(e, Step::RollIn, evidence::Outcome::Refused);
    }),
    // A candidate of another image that repairs how the old version ends, and one that does not.
    ("GL-S201", Outcome::Warn, |e| lost_with(e, Step::RollIn, evidence::Outcome::Refused)),
    ("GL-S201", Outcome::Inconclusive, |e| lost_with(e, Step::RollIn, evidence::Outcome::Answered(503))),
    ("GL-S201", Outcome::Fail, |e| lost_with(e, Step::RollOut, evidence::Outcome::Refused)),
    ("GL-S201", Outcome::Inconclusive, |e| {
        objects(e, ObjectKind::Pod, |pod| {
            pod["metadata"].as_object_mut().unwrap().remove("deletionTimestamp");
        });
    }),
    ("GL-S202", Outcome::Pass, |e| {
        another_image(e);
        terminated_before_the_roll_out(e, 137);
    }),
    ("GL-S202", Outcome::Fail, |e| terminated_before_the_roll_out(e, 137)),
    ("GL-S202", Outcome::Fail, |e| {
        another_image(e);
        terminated(e, |state| state["exitCode"] = json!(137));
    }),
    ("GL-S202", Outcome::Fail, |e| terminated(e, |state| state["exitCode"] = json!(137))),
    // What a JVM ends with after its shutdown hooks.
    ("GL-S202", Outcome::Warn, |e| terminated(e, |state| state["exitCode"] = json!(143))),
    ("GL-S202", Outcome::Fail, |e| {
        terminated(e, |state| state["exitCode"] = json!(143));
        lost_while_leaving(e, Class::New);
    }),
    ("GL-S202", Outcome::Warn, |e| {
        // Answered: what they asked for was not found in a cold cache.
        terminated(e, |state| state["exitCode"] = json!(143));
        lost_while_leaving(e, Class::New);
        let end = edge(e, Step::Tail, Edge::End);
        faults(e).filter(|f| f.fault == Fault::Miss).for_each(|f| {
            (f.hits, f.first_hit, f.last_hit) = (7, Some(f.began), Some(end));
        });
        for fact in &mut e.facts {
            if let Fact::Request(lost) = fact
                && lost.outcome == evidence::Outcome::Closed
            {
                lost.outcome = evidence::Outcome::Answered(401);
            }
        }
    }),
    ("GL-S202", Outcome::Fail, |e| {
        terminated(e, |state| state["exitCode"] = json!(143));
        let holds = faults(e).filter(|f| matches!(f.fault, Fault::Hold { .. }));
        holds.for_each(|f| f.held.iter_mut().for_each(|held| held.given_up = true));
    }),
    ("GL-S202", Outcome::Inconclusive, ends_unseen),
    ("GL-S203", Outcome::Warn, closed_without_a_word),
    ("GL-S203", Outcome::Fail, |e| {
        closed_without_a_word(e);
        lost_while_leaving(e, Class::Idle);
    }),
    ("GL-S203", Outcome::Pass, |e| {
        closed_without_a_word(e);
        for fact in &mut e.facts {
            if let Fact::Connection(connection) = fact {
                connection.timed_out = true;
            }
        }
    }),
    ("GL-S204", Outcome::Fail, |e| {
        let holds = faults(e).filter(|f| matches!(f.fault, Fault::Hold { .. }));
        holds.for_each(|f| f.held.iter_mut().for_each(|held| held.given_up = true));
    }),
    ("GL-S205", Outcome::Fail, |e| {
        let deleted =
            last_in_peace(e, ObjectKind::Pod, |p| p.pointer("/metadata/deletionTimestamp").is_some());
        let due = e.facts[deleted].at() - 1_000;
        let request = RequestFact {
            due,
            class: Class::New,
            outcome: evidence::Outcome::Refused,
            pod: None,
            ..slow_request(e)
        };
        e.facts.push(Fact::Request(request));
    }),
    ("GL-S205", Outcome::Fail, |e| {
        // The switch of a machine resets whom a closed listener refuses.
        e.header.plan.place = Place::Machine;
        reset_while_closed(e);
    }),
    // A cluster's nodes do not: such a reset is of a listener that is there.
    ("GL-S205", Outcome::Pass, reset_while_closed),
    ("GL-S206", Outcome::Fail, |e| terminated(e, |state| state["exitCode"] = json!(1))),
    ("GL-S204", Outcome::Fail, |e| {
        // A request that the pod took on while it was draining.
        let hold = faults(e).filter(|f| matches!(f.fault, Fault::Hold { .. })).last().unwrap();
        let (from, to) = (hold.ended - 2_000, hold.ended - 1_000);
        hold.held.push(Held { from, to, given_up: true });
    }),
];

/// Pods are told to stop, and the watch does not show how their containers ended.
fn ends_unseen(e: &mut Evidence) {
    objects(e, ObjectKind::Pod, |pod| {
        if let Some(state) = pod.pointer_mut("/status/containerStatuses/0/state") {
            state.as_object_mut().unwrap().remove("terminated");
        }
    });
}

/// A leaving pod refuses a probe, and a new connection is reset soon after.
fn reset_while_closed(e: &mut Evidence) {
    let deleted = last_in_peace(e, ObjectKind::Pod, |p| p.pointer("/metadata/deletionTimestamp").is_some());
    let Fact::Object(pod) = &e.facts[deleted] else { unreachable!() };
    let (pod, at) = (pod.object["metadata"]["name"].as_str().unwrap().to_owned(), pod.at - 1_500);
    let (target, answer) = (ProbeTarget::Readiness, Err("refused".to_owned()));
    e.facts.push(Fact::Probe(ProbeFact { from: at, to: at, pod, target, answer, samples: 1 }));
    let (class, outcome) = (Class::New, evidence::Outcome::Reset);
    let request = RequestFact { due: at + 500, class, outcome, pod: None, ..slow_request(e) };
    e.facts.push(Fact::Request(request));
}

/// Reads were let miss all through the roll in, and for some seconds every request ends so.
fn answered_from_a_cold_cache(e: &mut Evidence, ended: evidence::Outcome) {
    let (begin, end) = (edge(e, Step::RollIn, Edge::Begin), edge(e, Step::RollIn, Edge::End));
    for miss in faults(e).filter(|f| f.fault == Fault::Miss) {
        (miss.hits, miss.first_hit, miss.last_hit) = (7, Some(begin), Some(end));
    }
    seconds(e, (begin + 2_000, begin + 7_000)).for_each(|s| s.outcomes = vec![(ended, s.due)]);
}

/// A class with hardly any requests: its zero has no power.
fn hardly_any_writes(evidence: &mut Evidence) {
    for fact in &mut evidence.facts {
        if let Fact::Second(second) = fact
            && second.class == Class::Post
        {
            let keep = u32::from(second.at / 1000 % 20 == 0);
            second.outcomes.iter_mut().for_each(|(_, n)| *n = keep);
        }
    }
}
