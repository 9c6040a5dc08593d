//! Pillar: a circuit breaker that opens on the failure rate of a time window and closes by one trial.
//!
//! `recloser` is the state machine and the timer of the open period, nothing more: by itself it has no time window,
//! counts eleven calls where ten were asked for, and lets every waiting caller through as a trial. Around it stand
//!
//! - ten buckets, together as long as the window, counted without a lock (constant cost at any rate);
//! - a gate: an atomic word of state and generation that answers *closed* and *open* without asking the machine, and
//!   one slot for the trial, given back when the trial is cancelled;
//! - the generation, so that a call admitted before a transition is not counted after it;
//! - three states that are set by hand, for drills;
//! - the deadline of a call, inside of what is recorded: a call that hangs is a failure, and so is one whose caller
//!   gave up once it was slow.
//!
//! ```
//! use golive_pillars::breaker::{Breaker, Class, Classify, Config};
//!
//! struct Refused;
//! impl Classify for Refused {
//!     fn class(&self) -> Class { Class::Failure }
//! }
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! let breaker = Breaker::new("inventory", Config::default()).unwrap();
//! let answer = breaker.call(async { Ok::<_, Refused>(42) }).await;
//! assert!(matches!(answer, Ok(42)));
//! # });
//! ```

#[cfg(feature = "clap")]
mod args;
mod circuit;
mod config;
#[cfg(feature = "telemetry")]
mod event;
mod gate;
mod judge;
#[cfg(feature = "tower")]
mod layer;
mod machine;
#[cfg(feature = "metrics")]
mod metrics;
#[cfg(feature = "axum")]
mod routes;
mod row;
mod state;
mod sync;
mod tally;
mod window;

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::{Semaphore, SemaphorePermit, TryAcquireError};
use tokio::time::timeout_at;

use crate::Invalid;
#[cfg(feature = "clap")]
pub use args::Args;
use circuit::Circuit;
pub use config::Config;
#[cfg(feature = "tower")]
pub use layer::{BreakerLayer, BreakerService};
#[cfg(feature = "metrics")]
pub use metrics::Metrics;
#[cfg(feature = "axum")]
pub use routes::drill_routes;
pub use state::State;
use tally::Outcome;

/// What a result says about the health of the dependency.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The dependency did not do its work.
    Failure,
    /// The dependency answered, although the answer may be an error to the caller.
    Success,
    /// Nothing can be said, for example because we gave up for a reason of our own.
    NotCounted,
}

/// Sorts the errors of a protected call.
pub trait Classify {
    /// What this error says about the dependency.
    fn class(&self) -> Class;
}

/// Why a protected call has no value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError<E> {
    /// The call was not made.
    #[error("the circuit is open for another {retry_after:?}")]
    NotPermitted {
        /// When a trial is due, or, while one is running, one second.
        retry_after: Duration,
    },
    /// The call took longer than the deadline and was dropped.
    #[error("no answer within {0:?}")]
    Deadline(Duration),
    /// The call was not made: as many as may run at a time are running ([`Config::most_at_a_time`]).
    #[doc(alias = "bulkhead")]
    #[error("as many calls as may run at a time are running")]
    Full,
    /// The call itself failed.
    #[error(transparent)]
    Inner(#[from] E),
}

/// A handle to one circuit. Clones share it.
#[derive(Clone)]
pub struct Breaker {
    circuit: Arc<Circuit>,
}

impl fmt::Debug for Breaker {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Breaker").field("name", &self.name()).field("state", &self.state()).finish()
    }
}

impl Breaker {
    /// Makes a closed circuit; `name` is its label in metrics and logs. Fails if a setting cannot be used.
    pub fn new(name: impl Into<Arc<str>>, config: Config) -> Result<Self, Invalid> {
        config.validate()?;
        Ok(Self { circuit: Arc::new(Circuit::closed(name.into(), config)) })
    }

    /// Runs `work` under the deadline if the circuit permits it, and records how it went.
    ///
    /// A panic in `work` counts as a failure and goes on. Cancel safe: a call that is dropped before the slow-call
    /// threshold counts as nothing, and a dropped trial makes room for the next one; after it, it is a failure, since
    /// callers who have given up while the dependency hangs would keep the circuit closed otherwise.
    ///
    /// # Panics
    /// Outside of a tokio runtime with its timer enabled, as soon as the circuit permits a call.
    pub fn call<T, E: Classify>(
        &self,
        work: impl Future<Output = Result<T, E>>,
    ) -> impl Future<Output = Result<T, CallError<E>>> {
        self.call_classified(work, |result| result.as_ref().err().map_or(Class::Success, Classify::class))
    }

    /// As [`Breaker::call`], for results whose class is not told by a [`Classify`] of ours: errors of another crate, or
    /// an `Ok` that is a failure all the same, such as an answer with the status 503.
    ///
    /// # Panics
    /// As [`Breaker::call`].
    pub async fn call_classified<T, E>(
        &self,
        work: impl Future<Output = Result<T, E>>,
        classify: impl FnOnce(&Result<T, E>) -> Class,
    ) -> Result<T, CallError<E>> {
        let Ok(_place) = self.place() else { return Err(CallError::Full) };
        let admission =
            self.circuit.admit().map_err(|retry_after| CallError::NotPermitted { retry_after })?;
        let deadline = self.circuit.config.deadline;
        match timeout_at(admission.since() + deadline, AssertUnwindSafe(work).catch_unwind()).await {
            Ok(Ok(result)) => {
                admission.settle(classify(&result).into());
                result.map_err(CallError::Inner)
            }
            Ok(Err(panic)) => {
                admission.settle(Outcome::Panic);
                resume_unwind(panic)
            }
            Err(_) => {
                admission.settle(Outcome::Deadline);
                Err(CallError::Deadline(deadline))
            }
        }
    }

    /// A place for one call, where places are counted.
    fn place(&self) -> Result<Option<SemaphorePermit<'_>>, TryAcquireError> {
        let place = self.circuit.places.as_ref().map(Semaphore::try_acquire).transpose();
        place.inspect_err(|_| self.circuit.tally.full())
    }

    /// Its label in metrics and logs.
    pub fn name(&self) -> &str {
        self.circuit.name()
    }

    /// The state now. An open circuit whose period is over stays *open* until somebody calls.
    pub fn state(&self) -> State {
        self.circuit.state()
    }

    /// Whether a trial closed the circuit no longer than `time` ago: the moment when everybody comes back at once.
    pub fn closed_within(&self, time: Duration) -> bool {
        self.circuit.closed_within(time)
    }

    /// Sets a state by hand, for a drill. It stays until another is set, unless that is one of the automatic ones:
    /// `Closed` begins anew, with nothing counted; `Open` and `HalfOpen` are refused with `false`.
    pub fn force(&self, state: State) -> bool {
        let settable = !matches!(state, State::Open | State::HalfOpen);
        if settable {
            self.circuit.force(state);
        }
        settable
    }
}

#[cfg(test)]
mod history;
#[cfg(test)]
mod model;
#[cfg(test)]
#[cfg(feature = "metrics")]
mod tests;
