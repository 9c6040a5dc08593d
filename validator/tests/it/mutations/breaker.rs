//! Mutations for the checks of the breaker.

use golive_validator::check::Outcome;
use golive_validator::config::{Opens, Seconds};
use golive_validator::evidence::{
    self, Class, Edge, Fact, Fault, FaultFact, Millis, RequestFact, Step, TrialEnd, Trouble,
};

use super::Mutation;
use super::change::{
    at, breaker, by_design, calls, degraded_ok, edge, fault, faults, hang, is_trial, needs_nothing,
    never_opens, second_breaker, seconds, silence, slow_request,
};

pub(super) const BREAKER: &[Mutation] = &[
    ("GL-B001", Outcome::Fail, |e| e.header.plan.dependencies.iter_mut().for_each(|d| d.breaker = None)),
    ("GL-B201", Outcome::Fail, never_opens),
    ("GL-B201", Outcome::Fail, |e| {
        // Only what was due in the first two seconds waited: it opened too soon.
        let soon = hang(e).began + 2_000;
        e.facts.retain(|f| !matches!(f, Fact::Request(r) if r.class == Class::Direct && r.due > soon));
        let window = (soon, soon + 10_000);
        seconds(e, window)
            .filter(|s| s.class == Class::Direct)
            .for_each(|s| s.times = evidence::Histogram::default());
    }),
    ("GL-B201", Outcome::Inconclusive, |e| {
        for fact in &mut e.facts {
            if let Fact::Middle(middle) = fact {
                middle.standing = Err("its Service has no selector".into());
            }
        }
    }),
    ("GL-B202", Outcome::Fail, |e| {
        faults(e).for_each(|f| f.others = u64::from(is_trial(f, TrialEnd::Forward)))
    }),
    ("GL-B202", Outcome::Fail, |e| {
        let trial = fault(e, |f| is_trial(f, TrialEnd::GiveUp));
        let over = trial.held[0].to;
        calls(e, &trial, (over + 5_000, over + 9_000), |call| call.calls = [1; 10]);
    }),
    ("GL-B202", Outcome::Fail, |e| {
        let trial = fault(e, |f| is_trial(f, TrialEnd::Forward));
        silence(e, &trial, (trial.held[0].to, trial.held[0].to + 3_000));
    }),
    ("GL-B202", Outcome::Inconclusive, never_opens),
    ("GL-B203", Outcome::Fail, |e| {
        let trials: Vec<FaultFact> =
            faults(e).filter(|f| is_trial(f, TrialEnd::Forward)).map(|f| f.clone()).collect();
        for trial in trials {
            let hit = trial.first_hit.unwrap();
            calls(e, &trial, (hit - 1_000, hit + 5_000), |call| call.calls = Default::default());
        }
        let trials = faults(e).filter(|f| is_trial(f, TrialEnd::Forward));
        trials.for_each(|f| f.first_hit = f.first_hit.map(|at| at + 5_000));
    }),
    // The permit of a trial that failed is never freed.
    ("GL-B203", Outcome::Fail, |e| {
        let trials: Vec<FaultFact> =
            faults(e).filter(|f| matches!(f.fault, Fault::Trial { .. })).map(|f| f.clone()).collect();
        for trial in &trials {
            calls(e, trial, (trial.began, trial.ended), |call| call.calls = Default::default());
        }
        for trial in faults(e).filter(|f| matches!(f.fault, Fault::Trial { .. })) {
            (trial.first_hit, trial.ended) = (None, trial.ended + 60_000);
            trial.held.clear();
        }
    }),
    // A poller that asks no circuit: the trial cannot be told among its statements.
    ("GL-B203", Outcome::Inconclusive, |e| {
        let hangs: Vec<FaultFact> = faults(e).filter(|f| f.fault == Fault::Hang).map(|f| f.clone()).collect();
        let learned = edge(e, Step::Learning, Edge::End);
        for hang in &hangs {
            calls(e, hang, (learned - 4_000, learned), |call| call.calls[3] = 1);
            calls(e, hang, (hang.ended - 3_000, hang.ended), |call| call.calls[3] = 1);
        }
    }),
    // Users whose requests go past it, more than trials could.
    ("GL-B203", Outcome::Inconclusive, |e| {
        let hangs: Vec<FaultFact> = faults(e).filter(|f| f.fault == Fault::Hang).map(|f| f.clone()).collect();
        for hang in &hangs {
            calls(e, hang, (hang.ended - 6_000, hang.ended), |call| call.calls = [1; 10]);
        }
    }),
    ("GL-B204", Outcome::Fail, |e| {
        let hang = hang(e);
        calls(e, &hang, (hang.ended - 6_000, hang.ended - 4_000), |call| call.calls[3] = 1);
    }),
    ("GL-B205", Outcome::Fail, |e| {
        let hang = hang(e);
        let second = seconds(e, (hang.ended - 9_000, hang.ended)).find(|s| s.class == Class::New);
        second.unwrap().without_retry_after = 1;
    }),
    ("GL-B206", Outcome::Fail, |e| {
        let slow = RequestFact { took_ms: 9_000.0, ..slow_request(e) };
        e.facts.push(Fact::Request(slow));
    }),
    ("GL-B207", Outcome::Fail, |e| {
        let (pod, end) = (hang(e), edge(e, Step::Quiet, Edge::End));
        silence(e, &pod, (end - 4_000, end));
    }),
    ("GL-B207", Outcome::Inconclusive, |e| {
        // The same, where hardly any request came at that time that could go to any pod.
        let (pod, end) = (hang(e), edge(e, Step::Quiet, Edge::End));
        silence(e, &pod, (end - 4_000, end));
        let news = seconds(e, (end - 6_000, end + 2_000)).filter(|s| s.class == Class::New);
        news.for_each(|s| s.outcomes.iter_mut().for_each(|(_, n)| *n = 1));
    }),
    ("GL-B208", Outcome::Fail, |e| {
        let stall = fault(e, |f| f.fault == Fault::Stall);
        silence(e, &stall, (stall.ended, stall.ended + 9_000));
    }),
    ("GL-B209", Outcome::Fail, |e| {
        let trial = fault(e, |f| is_trial(f, TrialEnd::Forward));
        calls(e, &trial, (trial.ended, trial.ended + 3_000), |call| call.opened = 80);
    }),
    ("GL-B210", Outcome::Fail, |e| {
        let (hang, begin) = (hang(e), edge(e, Step::Recovery, Edge::Begin));
        silence(e, &hang, (begin, Millis::MAX));
    }),
    ("GL-B211", Outcome::Fail, |e| {
        let begin = edge(e, Step::Blackout, Edge::Begin) + 10_000;
        let direct = seconds(e, (begin, begin + 5_000)).filter(|s| s.class == Class::Direct);
        direct.for_each(|s| s.outcomes = vec![(evidence::Outcome::Answered(500), s.due)]);
    }),
    ("GL-B211", Outcome::Fail, |e| {
        let begin = edge(e, Step::Blackout, Edge::Begin) + 10_000;
        let direct = seconds(e, (begin, begin + 5_000)).filter(|s| s.class == Class::Direct);
        direct.for_each(|s| s.outcomes = vec![(evidence::Outcome::OtherBody(200), s.due)]);
    }),
    ("GL-B211", Outcome::Fail, |e| {
        // What users met tells nothing, since a pod lacks something over tcp all the while; what others answered does.
        needs_nothing(e);
        let begin = edge(e, Step::Blackout, Edge::Begin) + 10_000;
        let direct = seconds(e, (begin, begin + 5_000)).filter(|s| s.class == Class::Direct);
        direct.for_each(|s| s.outcomes = vec![(evidence::Outcome::Answered(500), s.due)]);
        let like = fault(e, |f| f.fault.is_loss() && f.dependency == "postgres");
        let began = edge(e, Step::Loss, Edge::Begin) - 400;
        let billing = FaultFact { dependency: "billing".into(), pod: "another".into(), began, ..like };
        e.facts.push(Fact::Fault(billing));
    }),
    ("GL-B211", Outcome::Pass, |e| {
        // From then on pods lack something over tcp as well, of which nobody knows whether they can do without it.
        let begin = edge(e, Step::Blackout, Edge::Begin) + 10_000;
        let direct = seconds(e, (begin, begin + 5_000)).filter(|s| s.class == Class::Direct);
        direct.for_each(|s| s.outcomes = vec![(evidence::Outcome::Answered(500), s.due)]);
        let lost = faults(e).filter(|f| f.fault.is_loss() && f.dependency == "postgres" && f.ended > begin);
        let billing =
            lost.map(|f| FaultFact { dependency: "billing".into(), began: begin - 1_000, ..f.clone() });
        let billing: Vec<Fact> = billing.map(Fact::Fault).collect();
        e.facts.extend(billing);
    }),
    ("GL-B201", Outcome::Inconclusive, |e| {
        let hang = hang(e);
        never_opens(e);
        faults(e).filter(|f| f.fault == Fault::Hang).for_each(|f| f.ended = f.began + 2_000);
        at(e, "postgres", Trouble::FailedOpen, hang.began + 2_000);
    }),
    ("GL-B201", Outcome::Inconclusive, |e| {
        let hang = hang(e);
        never_opens(e);
        at(e, "postgres", Trouble::FailedOpen, hang.began + 2_000);
    }),
    ("GL-B201", Outcome::Inconclusive, |e| {
        // A rate at which the declared circuit has no right to open.
        never_opens(e);
        let window = Seconds(10.0);
        breaker(e).opens = Opens::ErrorRate { error_rate: 0.5, window, min_calls: 5_000 };
    }),
    ("GL-B205", Outcome::Pass, second_breaker),
    ("GL-B207", Outcome::Fail, |e| {
        breaker(e).open_for = Seconds(2.0);
        let (pod, end) = (hang(e), edge(e, Step::Quiet, Edge::End));
        // Two whole seconds: longer than 80 % of the open time, shorter than the 3 s of a long one.
        silence(e, &pod, (end - 3_000, end - 2_000));
    }),
    ("GL-B207", Outcome::Inconclusive, |e| {
        // A pod that no user asked for anything in the quiet phase.
        let quiet = (edge(e, Step::Quiet, Edge::Begin) - 1_000, edge(e, Step::Quiet, Edge::End) + 1_000);
        let pod = hang(e);
        calls(e, &pod, quiet, |call| call.calls = [0; 10]);
    }),
    ("GL-B208", Outcome::Fail, |e| {
        breaker(e).open_for = Seconds(2.0);
        let stall = fault(e, |f| f.fault == Fault::Stall);
        silence(e, &stall, (stall.ended, stall.ended + 2_000));
    }),
    // Endpoints that leave are no answer when the service promised to stay.
    ("GL-B211", Outcome::Fail, degraded_ok),
    ("GL-B211", Outcome::Pass, |e| {
        degraded_ok(e);
        let window = (edge(e, Step::Loss, Edge::Begin), edge(e, Step::Loss, Edge::End));
        e.facts.retain(|f| !matches!(f, Fact::Request(r) if r.class != Class::Direct && (window.0..window.1).contains(&r.due)));
        for second in seconds(e, window).filter(|s| s.class != Class::Direct) {
            second.outcomes = vec![(evidence::Outcome::Answered(200), second.due)];
            (second.without_retry_after, second.times) = (0, evidence::Histogram::default());
            (0..second.due).for_each(|_| second.times.record(3.0));
        }
    }),
    ("GL-B211", Outcome::Warn, |e| {
        faults(e).filter(|f| f.fault == Fault::Refuse).for_each(|f| f.hits = 5_000);
    }),
    ("GL-B201", Outcome::Inconclusive, |e| {
        // The run ended while the calls hung.
        never_opens(e);
        e.facts.retain(|f| !matches!(f, Fact::Step(s) if s.step == Step::Hang && s.edge == Edge::End));
    }),
    ("GL-B202", Outcome::Pass, |e| {
        // Four processes in each pod, and that is declared.
        breaker(e).per_process = 4;
        faults(e).for_each(|f| f.others = 3 * u64::from(is_trial(f, TrialEnd::Forward)));
    }),
    ("GL-B202", Outcome::Fail, |e| {
        breaker(e).per_process = 4;
        faults(e).for_each(|f| f.others = 4 * u64::from(is_trial(f, TrialEnd::Forward)));
    }),
    // Five failures in a row are there a deadline after the first call, not after half a window.
    ("GL-B201", Outcome::Fail, |e| breaker(e).opens = Opens::Consecutive { failures: 5 }),
    // A thousand failures in a row had not come when the circuits opened.
    ("GL-B201", Outcome::Fail, |e| breaker(e).opens = Opens::Consecutive { failures: 1_000 }),
    ("GL-B205", Outcome::Fail, |e| {
        let hang = hang(e);
        by_design(e, (hang.began, hang.ended), 150.0);
    }),
    ("GL-B205", Outcome::Pass, |e| {
        // It takes as long while nothing is broken.
        let (hang, begin, end) =
            (hang(e), edge(e, Step::Quiet, Edge::Begin), edge(e, Step::Quiet, Edge::End));
        by_design(e, (begin, end), 150.0);
        by_design(e, (hang.began, hang.ended), 150.0);
    }),
    ("GL-B206", Outcome::Pass, |e| {
        // A request that takes 6 s by design, and then waits for the database.
        let (begin, end) = (edge(e, Step::Quiet, Edge::Begin), edge(e, Step::Quiet, Edge::End));
        by_design(e, (begin, end), 6_000.0);
        let slow =
            RequestFact { took_ms: 9_000.0, template: 1, class: Class::New, pod: None, ..slow_request(e) };
        let usual = RequestFact { due: begin + 1_000, took_ms: 6_000.0, ..slow.clone() };
        e.facts.extend([slow, usual].map(Fact::Request));
    }),
];
