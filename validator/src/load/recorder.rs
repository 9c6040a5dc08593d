//! Keeps what the agent saw until it is fetched.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::shooter::Aim;
use super::{AgentClock, LoadPlan};
use crate::evidence::{
    Class, ConnectionFact, Fact, Histogram, Millis, Outcome, ProbeFact, RequestFact, SecondFact,
};

/// Requests kept in full; beyond it they only count. 100,000 lost requests make the same verdict.
const MAX_REQUESTS: usize = 100_000;

/// An answer slower than this is kept in full.
const SLOW: Duration = Duration::from_secs(1);

/// Shared by all tasks of an agent.
#[derive(Clone)]
pub struct Recorder {
    clock: AgentClock,
    agent: String,
    node: String,
    late_after_ms: f64,
    // Guards plain counters and lists; held for one record or one copy.
    record: Arc<Mutex<Record>>,
}

/// One finished request.
pub(super) struct Shot {
    pub(super) class: Class,
    pub(super) due: Instant,
    pub(super) sent: Instant,
    pub(super) took: Duration,
    pub(super) name: String,
    pub(super) outcome: Outcome,
    pub(super) error: Option<String>,
    pub(super) sampled: Option<(String, String)>,
    pub(super) pod: Option<String>,
    pub(super) retry_after: bool,
}

/// The end of a kept connection.
pub(super) struct LinkEnd {
    pub(super) class: Class,
    pub(super) opened: Instant,
    /// When the server ended it, if it did.
    pub(super) ended: Option<Instant>,
    pub(super) requests: u32,
    pub(super) announced: bool,
    pub(super) timed_out: bool,
}

#[derive(Default)]
struct Record {
    seconds: BTreeMap<(Millis, Class, Option<String>), Second>,
    open: BTreeMap<Class, u32>,
    requests: Vec<RequestFact>,
    connections: Vec<ConnectionFact>,
    probes: Vec<ProbeFact>,
}

#[derive(Clone, Default)]
struct Second {
    due: u32,
    on_time: u32,
    lost: u32,
    outcomes: BTreeMap<Outcome, u32>,
    open: u32,
    times: Histogram,
    without_retry_after: u32,
}

impl Recorder {
    /// An empty record.
    pub fn new(clock: AgentClock, plan: &LoadPlan) -> Self {
        Self {
            clock,
            agent: plan.agent.clone(),
            node: plan.node.clone(),
            late_after_ms: plan.late_after_ms,
            record: Arc::default(),
        }
    }

    /// Everything recorded so far, on the agent's clock.
    pub fn facts(&self) -> Vec<Fact> {
        let record = self.lock();
        let seconds = record.seconds.iter().map(|((at, class, pod), second)| {
            Fact::Second(SecondFact {
                at: *at,
                agent: self.agent.clone(),
                node: self.node.clone(),
                class: *class,
                due: second.due,
                on_time: second.on_time,
                lost: second.lost,
                outcomes: second.outcomes.iter().map(|(outcome, n)| (*outcome, *n)).collect(),
                open: second.open,
                times: second.times.clone(),
                pod: pod.clone(),
                without_retry_after: second.without_retry_after,
            })
        });
        seconds
            .chain(record.requests.iter().cloned().map(Fact::Request))
            .chain(record.connections.iter().cloned().map(Fact::Connection))
            .chain(record.probes.iter().cloned().map(Fact::Probe))
            .collect()
    }

    pub(super) fn due(&self, aim: &Aim, due: Instant) {
        self.second(aim.class, aim.pod.as_ref(), due, |second| second.due += 1);
    }

    pub(super) fn unsent(&self, aim: &Aim, due: Instant) {
        self.second(aim.class, aim.pod.as_ref(), due, |second| {
            *second.outcomes.entry(Outcome::Unsent).or_default() += 1;
        });
    }

    pub(super) fn opened(&self, class: Class) {
        *self.lock().open.entry(class).or_default() += 1;
    }

    pub(super) fn request(&self, shot: Shot) {
        let late_ms = shot.sent.saturating_duration_since(shot.due).as_secs_f64() * 1000.0;
        let on_time = late_ms <= self.late_after_ms && shot.outcome != Outcome::Unsent;
        let took_ms = shot.took.as_secs_f64() * 1000.0;
        let lost = shot.outcome.is_lost();
        self.second(shot.class, shot.pod.as_ref(), shot.due, |second| {
            second.on_time += u32::from(on_time);
            second.lost += u32::from(lost);
            *second.outcomes.entry(shot.outcome).or_default() += 1;
            if matches!(shot.outcome, Outcome::Answered(_)) {
                second.times.record(took_ms);
            }
            second.without_retry_after +=
                u32::from(shot.outcome == Outcome::Answered(503) && !shot.retry_after);
        });
        let in_full = lost || !on_time || shot.took > SLOW || shot.sampled.is_some();
        if in_full {
            let fact = self.full(shot, took_ms);
            let mut record = self.lock();
            if record.requests.len() < MAX_REQUESTS {
                record.requests.push(fact);
            }
        }
    }

    pub(super) fn connection(&self, end: &LinkEnd) {
        let fact = ConnectionFact {
            opened: self.clock.millis(end.opened),
            ended: self.clock.millis(end.ended.unwrap_or_else(Instant::now)),
            agent: self.agent.clone(),
            class: end.class,
            requests: end.requests,
            announced: end.announced,
            by_server: end.ended.is_some(),
            timed_out: end.timed_out,
        };
        let mut record = self.lock();
        record.connections.push(fact);
        if let Some(open) = record.open.get_mut(&end.class) {
            *open = open.saturating_sub(1);
        }
    }

    /// Adds a probe's answer: a stretch of equal answers stays one fact.
    pub(super) fn probe(&self, fact: ProbeFact) {
        let mut record = self.lock();
        let last = record.probes.iter_mut().rev().find(|p| p.pod == fact.pod && p.target == fact.target);
        match last {
            Some(last) if last.answer == fact.answer => {
                last.to = fact.to;
                last.samples += 1;
            }
            _ => record.probes.push(fact),
        }
    }

    fn full(&self, shot: Shot, took_ms: f64) -> RequestFact {
        let (trace_id, parent_id) = shot.sampled.unzip();
        RequestFact {
            due: self.clock.millis(shot.due),
            sent: self.clock.millis(shot.sent),
            took_ms,
            agent: self.agent.clone(),
            node: self.node.clone(),
            class: shot.class,
            request: shot.name,
            outcome: shot.outcome,
            error: shot.error,
            trace_id,
            parent_id,
            pod: shot.pod,
        }
    }

    fn second(&self, class: Class, pod: Option<&String>, due: Instant, change: impl FnOnce(&mut Second)) {
        let at = self.clock.millis(due) / 1000 * 1000;
        let mut record = self.lock();
        let open = record.open.get(&class).copied().unwrap_or_default();
        let second = record.seconds.entry((at, class, pod.cloned()));
        change(second.or_insert_with(|| Second { open, ..Second::default() }));
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
