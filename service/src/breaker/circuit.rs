use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TraceContextExt as _;
use tokio::time::Instant;

use super::admission::{Admission, Permit};
use super::machine::Machine;
use super::metrics::Outcome;
use super::state::{Epoch, Word};
use super::window::Window;
use super::{Args, Class, Metrics, State};

/// What callers are told while a trial is running; its own deadline bounds it.
const TRIAL_RETRY: Duration = Duration::from_secs(1);

/// One circuit: its state, and what decides on it.
pub(super) struct Circuit {
    pub(super) name: &'static str,
    pub(super) args: Args,
    pub(super) started: Instant,
    word: Word,
    /// End of the open period, in nanoseconds since `started`. Written before the word says *open*.
    open_until: AtomicU64,
    pub(super) trial_running: AtomicBool,
    /// Guards the window and the machine; held for a few additions, never across an await.
    core: Mutex<Core>,
    pub(super) metrics: Metrics,
}

struct Core {
    window: Window,
    machine: Machine,
}

struct Transition {
    from: State,
    to: State,
}

impl Circuit {
    pub(super) fn closed(name: &'static str, args: Args, metrics: Metrics) -> Self {
        metrics.enter(name, State::Closed);
        let core =
            Core { window: Window::new(args.breaker_window), machine: Machine::new(args.breaker_open_for) };
        Self {
            name,
            args,
            started: Instant::now(),
            word: Word::default(),
            open_until: AtomicU64::new(0),
            trial_running: AtomicBool::new(false),
            core: Mutex::new(core),
            metrics,
        }
    }

    pub(super) fn state(&self) -> State {
        self.word.load().state
    }

    pub(super) fn admit(self: &Arc<Self>) -> Result<Admission, Duration> {
        let epoch = self.word.load();
        match epoch.state {
            State::Closed => Ok(Admission::new(self, epoch.generation, None)),
            State::Open => match self.remaining() {
                Duration::ZERO => self.admit_trial(),
                remaining => Err(remaining),
            },
            State::HalfOpen => self.admit_trial(),
        }
    }

    fn admit_trial(self: &Arc<Self>) -> Result<Admission, Duration> {
        let permit = Permit::take(self).ok_or(TRIAL_RETRY)?;
        let (epoch, transition) = {
            let core = self.lock();
            let epoch = self.word.load();
            match epoch.state {
                // The last trial ended between our look and our permit.
                State::Closed => return Ok(Admission::new(self, epoch.generation, None)),
                State::HalfOpen => (epoch, None),
                State::Open if core.machine.permits() => (
                    self.word.advance(State::HalfOpen),
                    Some(Transition { from: State::Open, to: State::HalfOpen }),
                ),
                State::Open => return Err(self.remaining()),
            }
        };
        self.announce(transition.as_ref());
        Ok(Admission::new(self, epoch.generation, Some(permit)))
    }

    pub(super) fn settle(&self, mut admission: Admission, outcome: Outcome) {
        admission.settled = true;
        let transition = {
            let mut core = self.lock();
            let epoch = self.word.load();
            if epoch.generation == admission.generation {
                self.metrics.call(self.name, outcome);
                self.judge(&mut core, epoch, outcome)
            } else {
                self.metrics.call(self.name, Outcome::Late);
                None
            }
        };
        self.announce(transition.as_ref());
        // The permit of a trial ends here, after the state it decided.
        drop(admission);
    }

    fn judge(&self, core: &mut Core, epoch: Epoch, outcome: Outcome) -> Option<Transition> {
        let class = outcome.class();
        let to = match (epoch.state, class) {
            (_, Class::NotCounted) | (State::Open, _) => return None,
            (State::Closed, _) => {
                let counts = core.window.record(self.started.elapsed(), class == Class::Failure);
                let trips = class == Class::Failure
                    && counts.total >= self.args.breaker_min_calls
                    && counts.failed as f64 >= self.args.breaker_error_rate * counts.total as f64;
                if !trips {
                    return None;
                }
                State::Open
            }
            (State::HalfOpen, Class::Failure) => State::Open,
            (State::HalfOpen, Class::Success) => State::Closed,
        };
        core.machine.decide(class);
        if to == State::Open {
            let until = self.started.elapsed() + self.args.breaker_open_for;
            self.open_until.store(until.as_nanos() as u64, Ordering::Release);
        }
        core.window.clear();
        self.word.advance(to);
        Some(Transition { from: epoch.state, to })
    }

    fn remaining(&self) -> Duration {
        let until = Duration::from_nanos(self.open_until.load(Ordering::Acquire));
        until.saturating_sub(self.started.elapsed())
    }

    /// Tells of a transition; called without the lock, since a log or an exporter may take its time.
    fn announce(&self, transition: Option<&Transition>) {
        let Some(&Transition { from, to }) = transition else {
            return;
        };
        self.metrics.transition(self.name, from, to);
        let (breaker, from, to) = (self.name, from.as_str(), to.as_str());
        tracing::warn!(breaker, from, to, "circuit breaker changed state");
        opentelemetry::Context::map_current(|context| {
            let attributes = vec![
                KeyValue::new("app.breaker.name", breaker),
                KeyValue::new("app.breaker.from", from),
                KeyValue::new("app.breaker.to", to),
            ];
            context.span().add_event("circuit breaker changed state", attributes);
        });
    }

    fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
