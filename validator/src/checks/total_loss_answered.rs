//! A pod that has lost its database altogether still answers at once.

use crate::check::{Area, Case, Check, Finding, Severity};
use crate::config::{Breaker, Need};
use crate::evidence::{Class, Fault, FaultFact, Millis, RequestFact, SecondFact, Step};
use crate::plan::{Needs, Part};
use crate::timeline::{Fallback, Kind, Loss, Timeline, Unmeasured};

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-B211",
    slug: "total-loss-answered",
    area: Area::Breaker,
    severity: Severity::Major,
    why: "Refused connections fail fast, a black hole does not: both must open the circuit, and a lost cache must not make it worse.",
    how: "Pod by pod while its database refuses, resets or swallows everything: from the latest moment of the opening on, every answer right, or 503 with Retry-After, and at once (within the limit, or twice what the request takes in the quiet phase), but for the trials of each open time; what a pod answers while it lacks a dependency over tcp as well is not judged. Where readiness needs none of the stores, users through the Service must fare as well while every pod lacks one. Connections tried at a database that refuses them are counted: many of them are a warning.",
    remedy: "Count refused connections and time-outs as failures; bound the cache's calls below the answer's time; wait between attempts to connect.",
    rests_on: Kind::OF_BROKEN_CALLS,
    needs: Needs::Parts(&[Part::Hang, Part::Loss]),
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    measure(timeline).unwrap_or_else(Finding::from)
}

fn measure(timeline: &Timeline) -> Result<Finding, Unmeasured> {
    timeline.tested_circuits()?;
    let losses = timeline.losses()?;
    let mut all = pod_by_pod(timeline, &losses);
    if all.iter().all(|one| one.total == 0) {
        return Err(Unmeasured::NotSeen(
            "no request was sent to a pod alone while its database was away".into(),
        ));
    }
    if timeline.promised_stores().all(|store| store.readiness != Need::Required) {
        match through_the_service(timeline, &losses) {
            Ok(users) => all.push(users),
            // What pods answered wrong by themselves is wrong all the same.
            Err(why) if all.iter().all(|one| one.wrong.is_none()) => return Err(why),
            Err(_) => {}
        }
    }
    let answers: u64 = all.iter().map(|one| one.total).sum();
    let slowest = all.iter().map(|one| one.p99).fold(0.0, f64::max);
    let wrong: Vec<Case> = all.into_iter().filter_map(|one| one.wrong).collect();
    let hammered: Vec<_> = losses.iter().flat_map(|loss| hammering(timeline, loss)).collect();
    let pass = format!("{answers} answers of pods without their database, p99 {slowest:.1} ms");
    let limit = timeline.plan().limits().max_lost_p99_ms;
    let finding = Finding::of_both(wrong, hammered, pass);
    let open = losses.iter().flat_map(|loss| &loss.faults);
    let open = open.filter(|(_, fault)| timeline.found_circuit_open(fault)).map(|(_, fault)| {
        format!(
            "{} -> {}: its circuit was open before; a trial shows what it makes of this loss",
            fault.pod, fault.dependency
        )
    });
    let finding = finding.details(open.collect::<Vec<_>>());
    Ok(finding.measured(format!("p99 {slowest:.1} ms"), format!("< {limit} ms")))
}

/// What each pod answered past the Service while it had lost a database.
fn pod_by_pod(timeline: &Timeline, losses: &[Loss]) -> Vec<Answers> {
    let faults = losses.iter().flat_map(|loss| &loss.faults);
    let databases = faults.filter_map(|(line, fault)| {
        let (_, breaker) = timeline.breakers().find(|(d, _)| d.name == fault.dependency)?;
        Some((*line, *fault, breaker))
    });
    databases.map(|(line, fault, breaker)| Answers::of_pod(timeline, line, fault, breaker)).collect()
}

/// What users met while every pod lacked a store: where readiness needs none the endpoints stay.
fn through_the_service(timeline: &Timeline, losses: &[Loss]) -> Result<Answers, Unmeasured> {
    let (begin, end) = timeline.between(Step::Loss, Step::Loss)?;
    let end = timeline.tells_until(|_| true, (begin, end));
    let open_ms = timeline.breakers().map(|(_, breaker)| open_by_ms(timeline, breaker)).max();
    let window = (begin.saturating_add(open_ms.unwrap_or_default()), end);
    let calm = timeline.calm_in(CHECK.rests_on, window);
    let users = |second: &SecondFact| second.class != Class::Direct && calm(second.during());
    let load = timeline.load.fallback(window, users);
    if load.total == 0 {
        return Err(Unmeasured::NotSeen("no user came while every pod lacked a store".into()));
    }
    let users = timeline.load.requests.iter().filter(|(_, r)| r.class != Class::Direct);
    let during = users.filter(|(_, r)| (window.0..=window.1).contains(&r.due));
    let slow = during.filter(|(_, r)| is_slow(timeline, r) && calm(r.during())).count();
    let faults = losses.iter().flat_map(|loss| &loss.faults);
    let due = |fault: &FaultFact| {
        let breaker = timeline.breakers().find(|(d, _)| d.name == fault.dependency);
        breaker.map_or(0, |(_, breaker)| trials(fault, breaker))
    };
    let trials = faults.map(|(_, fault)| due(fault)).sum();
    let line = timeline.step(Step::Loss).map_or(0, |span| span.line);
    let who = "users of the Service while each pod lacked a store";
    let late = late(timeline, window, |second| second.class != Class::Direct);
    Ok(Answers::new(Case::over(window, who, line), &load, slow, trials, late))
}

/// Attempts to connect to a database that refuses them; its own word for it is one hit each.
fn hammering(timeline: &Timeline, loss: &Loss) -> Vec<Case> {
    let limit = timeline.plan().limits().max_reconnects_per_s;
    let refused = loss.faults.iter().filter(|(_, fault)| fault.fault == Fault::Refuse);
    let rates = refused.map(|(line, fault)| {
        let seconds = (fault.ended - fault.began).max(1_000) as f64 / 1000.0;
        (line, fault, fault.hits as f64 / seconds)
    });
    let many = rates.filter(|(.., rate)| *rate > limit);
    let text = |fault: &FaultFact, rate: f64| {
        format!("{} tried {} {rate:.0} times a second although it refuses", loss.pod, fault.dependency)
    };
    let case = |line: usize, fault: &FaultFact, rate| {
        Case::over((fault.began, fault.ended), text(fault, rate), line).of(loss.pod).before(&fault.dependency)
    };
    many.map(|(line, fault, rate)| case(*line, fault, rate)).collect()
}

/// When the circuit has to be open, from the begin of a loss on; for ever, if the calls were too few for its rule.
fn open_by_ms(timeline: &Timeline, breaker: &Breaker) -> Millis {
    let open_by_s = timeline.opens_by_s(breaker) + 2.0 * timeline.plan().limits().opening_late_s;
    (open_by_s * 1000.0) as Millis
}

/// Answers without a database, and what is wrong with them.
struct Answers {
    total: u64,
    p99: f64,
    wrong: Option<Case>,
}

impl Answers {
    fn of_pod(timeline: &Timeline, line: usize, fault: &FaultFact, breaker: &Breaker) -> Self {
        let ended = timeline.tells_until(|pod| pod == fault.pod, (fault.began, fault.ended));
        let window = (fault.began.saturating_add(open_by_ms(timeline, breaker)), ended);
        let calm = timeline.calm_in(CHECK.rests_on, window);
        let mine = |second: &SecondFact| second.pod.as_deref() == Some(fault.pod.as_str());
        let load = timeline.load.fallback(window, |second| mine(second) && calm(second.during()));
        let direct = timeline.load.direct_requests(&fault.pod, window);
        let slow = direct.filter(|(_, r)| is_slow(timeline, r) && calm(r.during())).count();
        let who = format!("{} without {}", fault.pod, fault.dependency);
        let case = Case::over(window, who, line).of(&fault.pod).before(&fault.dependency);
        let late = late(timeline, window, mine);
        Self::new(case, &load, slow, trials(fault, breaker), late)
    }

    /// The case says who and when; what is wrong is added.
    fn new(who: Case, load: &Fallback, slow: usize, trials: usize, late: Option<String>) -> Self {
        let p99 = load.times.quantile_ms(0.99);
        let text = if load.wrong > 0 {
            load.reasons()
        } else if slow > trials {
            Some(format!("{slow} answers took longer than 1 s, {trials} trials were due"))
        } else {
            late
        };
        let wrong = text.map(|text| Case { text: format!("{}: {text}", who.text), ..who });
        Self { total: load.total, p99, wrong }
    }
}

/// Whether an answer came neither at once nor as soon as it usually does.
fn is_slow(timeline: &Timeline, request: &RequestFact) -> bool {
    request.took_ms > timeline.load.at_least_usual_ms(request.template, 1_000.0)
}

/// The first template whose answers took too long for what they usually take.
fn late(
    timeline: &Timeline,
    window: (Millis, Millis),
    chosen: impl Fn(&SecondFact) -> bool,
) -> Option<String> {
    let slower = timeline.slower(CHECK.rests_on, window, timeline.plan().limits().max_lost_p99_ms, chosen);
    slower.first().map(|slower| timeline.slower_text(*slower))
}

/// Trials that may have to wait for the black hole: one round per open time.
fn trials(fault: &FaultFact, breaker: &Breaker) -> usize {
    let waits = fault.fault == Fault::Silence;
    // A circuit may be open already when the dependency is lost: then the first of them comes at any time.
    let rounds = ((fault.ended - fault.began) as f64 / 1000.0 / breaker.open_for.0).ceil();
    if waits { rounds as usize * breaker.trials_per_pod() as usize } else { 0 }
}
