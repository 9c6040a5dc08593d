//! Keeps what the agent saw until it is fetched.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::turn::Turn;
use super::{AgentClock, LoadPlan};
use crate::evidence::{
    Class, ConnectionFact, Fact, Histogram, Millis, Outcome, ProbeFact, RequestFact, SecondFact,
};

/// Requests kept in full; beyond it they only count. 100,000 lost requests make the same verdict.
const MAX_REQUESTS: usize = 100_000;

/// So many answers of each status of a template are kept in full, whatever they are: should one of them turn out to be
/// wrong, the request stands in the evidence.
const EACH_STATUS: u32 = 100;

/// An answer slower than this is kept in full.
const SLOW: Duration = Duration::from_secs(1);

/// Shared by all tasks of an agent.
#[derive(Clone)]
pub struct Recorder {
    clock: AgentClock,
    agent: String,
    node: String,
    late_after_ms: f64,
    /// By template: the statuses that were declared to be right.
    expect: Arc<[Vec<u16>]>,
    // Guards plain counters and lists; held for one record or one copy.
    record: Arc<Mutex<Record>>,
}

/// One finished request.
pub(super) struct Shot {
    pub(super) turn: Turn,
    pub(super) sent: Instant,
    pub(super) took: Duration,
    pub(super) name: String,
    pub(super) outcome: Outcome,
    pub(super) error: Option<String>,
    pub(super) sampled: Option<(String, String)>,
    pub(super) retry_after: bool,
}

/// What is counted apart within one second: class, pod, template.
type Kind = (Class, Option<String>, usize);

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
    seconds: BTreeMap<(Millis, Kind), Second>,
    told: BTreeMap<(usize, Outcome), u32>,
    open: BTreeMap<Class, u32>,
    requests: Vec<RequestFact>,
    connections: Vec<ConnectionFact>,
    probes: Vec<ProbeFact>,
}

#[derive(Clone, Default)]
struct Second {
    due: u32,
    on_time: u32,
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
            expect: plan.requests.iter().map(|spec| spec.expect.clone()).collect(),
            record: Arc::default(),
        }
    }

    /// Everything recorded so far, on the agent's clock.
    pub fn facts(&self) -> Vec<Fact> {
        let record = self.lock();
        let seconds = record.seconds.iter().map(|((at, (class, pod, template)), second)| {
            Fact::Second(SecondFact {
                at: *at,
                agent: self.agent.clone(),
                node: self.node.clone(),
                class: *class,
                due: second.due,
                on_time: second.on_time,
                outcomes: second.outcomes.iter().map(|(outcome, n)| (*outcome, *n)).collect(),
                open: second.open,
                times: second.times.clone(),
                pod: pod.clone(),
                template: *template,
                without_retry_after: second.without_retry_after,
            })
        });
        seconds
            .chain(record.requests.iter().cloned().map(Fact::Request))
            .chain(record.connections.iter().cloned().map(Fact::Connection))
            .chain(record.probes.iter().cloned().map(Fact::Probe))
            .collect()
    }

    pub(super) fn due(&self, turn: &Turn) {
        self.second(turn, |second| second.due += 1);
    }

    pub(super) fn unsent(&self, turn: &Turn) {
        self.second(turn, |second| {
            *second.outcomes.entry(Outcome::Unsent).or_default() += 1;
        });
    }

    pub(super) fn opened(&self, class: Class) {
        *self.lock().open.entry(class).or_default() += 1;
    }

    pub(super) fn request(&self, shot: Shot) {
        let late_ms = shot.sent.saturating_duration_since(shot.turn.due).as_secs_f64() * 1000.0;
        let on_time = late_ms <= self.late_after_ms && shot.outcome != Outcome::Unsent;
        let took_ms = shot.took.as_secs_f64() * 1000.0;
        self.second(&shot.turn, |second| {
            second.on_time += u32::from(on_time);
            *second.outcomes.entry(shot.outcome).or_default() += 1;
            if shot.outcome.is_response() {
                second.times.record(took_ms);
            }
            second.without_retry_after +=
                u32::from(shot.outcome == Outcome::Answered(503) && !shot.retry_after);
        });
        let odd = self.is_wrong(&shot) || shot.outcome == Outcome::GaveUp;
        let notable = odd || !on_time || shot.took > SLOW || shot.sampled.is_some();
        let mut record = self.lock();
        let told = record.told.entry((shot.turn.template, shot.outcome)).or_default();
        *told = told.saturating_add(1);
        if (notable || *told <= EACH_STATUS) && record.requests.len() < MAX_REQUESTS {
            record.requests.push(self.full(shot, took_ms));
        }
    }

    /// Whether it is no right answer, as far as an agent can know.
    fn is_wrong(&self, shot: &Shot) -> bool {
        match (shot.outcome, self.expect.get(shot.turn.template)) {
            (Outcome::Answered(status), Some(expect)) if !expect.is_empty() => !expect.contains(&status),
            (outcome, _) => outcome.is_failure(),
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
            due: self.clock.millis(shot.turn.due),
            sent: self.clock.millis(shot.sent),
            took_ms,
            agent: self.agent.clone(),
            node: self.node.clone(),
            class: shot.turn.aim.class,
            request: shot.name,
            outcome: shot.outcome,
            error: shot.error,
            trace_id,
            parent_id,
            pod: shot.turn.aim.pod,
            template: shot.turn.template,
        }
    }

    fn second(&self, turn: &Turn, change: impl FnOnce(&mut Second)) {
        let class = turn.aim.class;
        let at = self.clock.millis(turn.due) / 1000 * 1000;
        let mut record = self.lock();
        let open = record.open.get(&class).copied().unwrap_or_default();
        let second = record.seconds.entry((at, (class, turn.aim.pod.clone(), turn.template)));
        change(second.or_insert_with(|| Second { open, ..Second::default() }));
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
