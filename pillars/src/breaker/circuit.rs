use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::gate::{Gate, Pass, Refusal, Settled};
use super::judge::{Ended, Judge};
use super::machine::Machine;
use super::tally::{Outcome, Tally};
use super::{Class, Config, State};

/// What callers are told while a trial is running; its own deadline bounds it.
const TRIAL_RETRY: Duration = Duration::from_secs(1);

/// One circuit: its gate, on the clock of tokio, and what it tells of itself.
pub(super) struct Circuit {
    name: Arc<str>,
    pub(super) config: Config,
    started: Instant,
    /// From when on a call is slow.
    slow_from: Duration,
    judge: Judge,
    gate: Gate<Machine>,
    /// When a trial closed it for the last time, in nanoseconds; zero if that never happened.
    closed_at: AtomicU64,
    pub(super) tally: Tally,
    /// Where calls at a time are bounded.
    pub(super) places: Option<Semaphore>,
}

/// The right to make one call, since when, and whether its outcome was recorded; otherwise the call was dropped.
pub(super) struct Admission<'circuit> {
    circuit: &'circuit Circuit,
    pass: Option<Pass<'circuit>>,
    since: Instant,
}

impl Circuit {
    pub(super) fn closed(name: Arc<str>, config: Config) -> Self {
        let judge = Judge::new(&config);
        let gate = Gate::closed(Machine::new(config.open_for));
        let (started, closed_at, tally) = (Instant::now(), AtomicU64::new(0), Tally::default());
        let places = config.most_at_a_time.map(Semaphore::new);
        let slow_from = config.slow_from();
        Self { name, config, started, slow_from, judge, gate, closed_at, tally, places }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn state(&self) -> State {
        self.gate.state()
    }

    pub(super) fn closed_within(&self, time: Duration) -> bool {
        let at = self.closed_at.load(Ordering::Relaxed);
        at != 0
            && self.state() == State::Closed
            && self.nanos(Instant::now()).saturating_sub(at) < time.as_nanos() as u64
    }

    pub(super) fn admit(&self) -> Result<Admission<'_>, Duration> {
        match self.gate.admit(|| self.nanos(Instant::now()), Machine::permits) {
            Ok(pass) => {
                if pass.opened_trial {
                    self.announce(State::Open, State::HalfOpen);
                }
                Ok(Admission { circuit: self, pass: Some(pass), since: Instant::now() })
            }
            Err(refusal) => {
                self.tally.not_permitted();
                Err(match refusal {
                    Refusal::For(nanos) => Duration::from_nanos(nanos),
                    Refusal::Trial => TRIAL_RETRY,
                    Refusal::Forced => self.config.open_for,
                })
            }
        }
    }

    /// Sets a state by hand; like every transition it starts with an empty window, and here with a new machine too.
    pub(super) fn force(&self, to: State) {
        let reset = |machine: &mut Machine| *machine = Machine::new(self.config.open_for);
        if let Some(from) = self.gate.force(to, reset) {
            self.announce(from, to);
        }
    }

    /// `took` is how long the call was under way.
    fn settle(&self, pass: Pass<'_>, now: Instant, took: Duration, outcome: Outcome) {
        let now = self.nanos(now);
        let slow = took >= self.slow_from;
        let ended = Ended { class: outcome.class(), slow };
        let settled = self.judge.settle(&self.gate, pass, ended, now);
        self.tally.call(if settled == Settled::Late { Outcome::Late } else { outcome });
        if slow {
            self.tally.slow();
        }
        match settled {
            Settled::Late | Settled::Counted => {}
            Settled::Moved(from, to) if from == to => {
                self.tally.withheld();
                tracing::warn!(breaker = %self.name, "circuit breaker would have opened");
            }
            Settled::Moved(from, to) => self.announce(from, to),
        }
    }

    fn nanos(&self, at: Instant) -> u64 {
        at.saturating_duration_since(self.started).as_nanos() as u64
    }

    /// Tells of a transition; called without the lock, since a log or an exporter may take its time.
    fn announce(&self, from: State, to: State) {
        if (from, to) == (State::HalfOpen, State::Closed) {
            self.closed_at.store(self.nanos(Instant::now()), Ordering::Relaxed);
        }
        self.tally.transition(from, to);
        let (breaker, from, to) = (self.name(), from.as_str(), to.as_str());
        tracing::warn!(breaker, from, to, "circuit breaker changed state");
        #[cfg(feature = "telemetry")]
        super::event::record(breaker, from, to);
    }
}

impl Admission<'_> {
    /// When the call was admitted.
    pub(super) fn since(&self) -> Instant {
        self.since
    }

    /// Records how the call went; a success later than the deadline is none.
    pub(super) fn settle(mut self, outcome: Outcome) {
        let Some(pass) = self.pass.take() else { return };
        let now = Instant::now();
        // A blocked worker can make a call late without the timer having had its turn.
        let took = now.saturating_duration_since(self.since);
        let late = outcome.class() == Class::Success && took > self.circuit.config.deadline;
        self.circuit.settle(pass, now, took, if late { Outcome::Deadline } else { outcome });
    }
}

impl Drop for Admission<'_> {
    fn drop(&mut self) {
        let Some(pass) = self.pass.take() else { return };
        let now = Instant::now();
        let took = now.saturating_duration_since(self.since);
        let given_up = took >= self.circuit.slow_from;
        self.circuit.settle(pass, now, took, if given_up { Outcome::GivenUp } else { Outcome::NotCounted });
    }
}
