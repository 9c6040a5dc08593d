//! The circuit breaker that a service declares, and what follows from it.

use serde::{Deserialize, Serialize};

use super::Seconds;

/// The declared circuit breaker.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", try_from = "Declared")]
pub struct Breaker {
    /// Share of failures that opens, 0 to 1.
    pub error_rate: f64,
    /// Over which time.
    pub window: Seconds,
    /// Below this number of calls in the window it never opens.
    pub min_calls: u32,
    /// Deadline of one call.
    pub deadline: Seconds,
    /// How long it stays open.
    pub open_for: Seconds,
    /// Trial calls when half-open.
    pub trials: u32,
}

/// The same before it was looked at.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Declared {
    error_rate: f64,
    window: Seconds,
    min_calls: u32,
    deadline: Seconds,
    open_for: Seconds,
    trials: u32,
}

impl TryFrom<Declared> for Breaker {
    type Error = String;

    fn try_from(declared: Declared) -> Result<Self, Self::Error> {
        let Declared { error_rate, window, min_calls, deadline, open_for, trials } = declared;
        let breaker = Self { error_rate, window, min_calls, deadline, open_for, trials };
        breaker.wrong().map_or(Ok(breaker), Err)
    }
}

impl Breaker {
    /// So much before the earliest moment that the declaration allows a circuit is taken as open.
    pub const EARLY_S: f64 = 0.6;

    /// And so much after the latest.
    pub const LATE_S: f64 = 0.5;

    /// So long before the first possible trial the agents are told to expect it.
    const AHEAD_S: f64 = 1.5;

    /// Two seconds hold one whole second of the load's clock.
    const MIN_QUIET_S: f64 = 2.0;

    const MAX_WINDOW_S: f64 = 60.0;

    /// The load gives a request up after 10 s.
    const MAX_DEADLINE_S: f64 = 9.0;

    /// A run waits for some of them.
    const MAX_OPEN_S: f64 = 300.0;

    /// When the circuit of a warm service under steady load opens after its calls began to hang, in seconds:
    /// the earliest and the latest moment that the declaration allows.
    ///
    /// A service that counts a call when it *begins* has seen `t` of `window` seconds hang at moment `t`, and opens
    /// at `errorRate * window`. One that counts a call when it *ends* knows the failures only a deadline `d` later,
    /// and the calls in between are in no count: the share is `(t - d) / (window - d)`, so that it opens at
    /// `errorRate * window + (1 - errorRate) * d`. Both are right; faster is as wrong as slower.
    pub fn opens_between_s(&self) -> (f64, f64) {
        let earliest = self.error_rate * self.window.0;
        (earliest, earliest + (1.0 - self.error_rate) * self.deadline.0)
    }

    /// How long its calls are made to hang: until a circuit that opened at the earliest moment is about to let a trial
    /// through.
    pub fn hang_s(&self) -> f64 {
        self.opens_between_s().0 - Self::EARLY_S + self.open_for.0 - Self::AHEAD_S
    }

    /// How much of that is left once a circuit has opened at the latest moment: nothing may wait then any more.
    pub fn quiet_s(&self) -> f64 {
        self.hang_s() - self.opens_between_s().1 - Self::LATE_S
    }

    /// What is wrong with the declaration, if the gate could not hold anything against it.
    fn wrong(&self) -> Option<String> {
        let Self { error_rate, window: Seconds(window), deadline: Seconds(deadline), .. } = *self;
        let shortest = self.open_for.0 + Self::MIN_QUIET_S - self.quiet_s();
        if !(error_rate > 0.0 && error_rate <= 1.0) {
            Some(format!("errorRate {error_rate}: expected a share above 0 and up to 1"))
        } else if !(1.0..=Self::MAX_WINDOW_S).contains(&window) {
            Some(format!("window {}: expected 1s to {}s", self.window, Self::MAX_WINDOW_S))
        } else if deadline > Self::MAX_DEADLINE_S || deadline > window {
            let limit = Self::MAX_DEADLINE_S.min(window);
            Some(format!(
                "deadline {}: expected at most {limit}s: users of the gate wait 10 s, and a call must be known to have failed within the window",
                self.deadline
            ))
        } else if self.open_for.0 > Self::MAX_OPEN_S {
            Some(format!("openFor {}: expected at most {}s", self.open_for, Self::MAX_OPEN_S))
        } else if self.quiet_s() < Self::MIN_QUIET_S {
            Some(format!(
                "openFor {}: expected at least {shortest:.1}s with this errorRate and deadline: sooner, the trial call hides whether the circuit had opened",
                self.open_for
            ))
        } else if self.trials == 0 {
            Some("trials 0: expected at least 1, or the circuit never closes".to_owned())
        } else {
            None
        }
    }
}
