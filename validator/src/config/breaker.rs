//! The circuit breaker that a service declares, and what follows from it.

mod opens;
mod shares;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Seconds;

pub use opens::{Opens, Pace};
pub use shares::of_each_call;

/// The declared circuit breaker.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema)]
#[serde(try_from = "Declared", into = "Declared")]
pub struct Breaker {
    /// What opens it.
    pub opens: Opens,
    /// Deadline of one call.
    pub deadline: Seconds,
    /// How long it stays open.
    pub open_for: Seconds,
    /// Trial calls when half-open.
    pub trials: u32,
    /// Processes in each pod, with a breaker of its own each.
    pub per_process: u32,
}

/// The same as it is written; which keys there are says which kind it is.
#[derive(Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Declared {
    /// Share of failures that opens it, above 0 and up to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    error_rate: Option<f64>,
    /// Over which time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    window: Option<Seconds>,
    /// Below this number of calls it never opens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    min_calls: Option<u32>,
    /// So many failures in a row open it; in place of errorRate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    consecutive_failures: Option<u32>,
    /// Looks back on the last calls instead of a time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count_window: Option<u32>,
    /// Deadline of one call.
    deadline: Seconds,
    /// How long it stays open.
    open_for: Seconds,
    /// Trial calls when half-open.
    trials: u32,
    /// Processes in each pod, with a breaker of its own each.
    #[serde(default = "one")]
    per_process: u32,
}

fn one() -> u32 {
    1
}

impl TryFrom<Declared> for Breaker {
    type Error = String;

    fn try_from(declared: Declared) -> Result<Self, Self::Error> {
        let Declared { deadline, open_for, trials, per_process, .. } = declared;
        let breaker = Self { opens: declared.opens()?, deadline, open_for, trials, per_process };
        breaker.wrong().map_or(Ok(breaker), Err)
    }
}

impl From<Breaker> for Declared {
    fn from(breaker: Breaker) -> Self {
        let Breaker { opens, deadline, open_for, trials, per_process } = breaker;
        let mut declared = Self {
            error_rate: None,
            window: None,
            min_calls: None,
            consecutive_failures: None,
            count_window: None,
            deadline,
            open_for,
            trials,
            per_process,
        };
        match opens {
            Opens::ErrorRate { error_rate, window, min_calls } => {
                declared.error_rate = Some(error_rate);
                declared.window = Some(window);
                declared.min_calls = Some(min_calls);
            }
            Opens::Consecutive { failures } => declared.consecutive_failures = Some(failures),
            Opens::CountWindow { calls, error_rate, min_calls } => {
                declared.count_window = Some(calls);
                declared.error_rate = Some(error_rate);
                declared.min_calls = Some(min_calls);
            }
        }
        declared
    }
}

impl Declared {
    /// Which kind it is; keys of two kinds beside each other are no breaker.
    fn opens(&self) -> Result<Opens, String> {
        let Self { error_rate, window, min_calls, consecutive_failures, count_window, .. } = *self;
        match (consecutive_failures, count_window, window, error_rate, min_calls) {
            (Some(failures), None, None, None, None) => Ok(Opens::Consecutive { failures }),
            (None, Some(calls), None, Some(error_rate), min) => {
                Ok(Opens::CountWindow { calls, error_rate, min_calls: min.unwrap_or(calls) })
            }
            (None, None, Some(window), Some(error_rate), Some(min_calls)) => {
                Ok(Opens::ErrorRate { error_rate, window, min_calls })
            }
            _ => Err(format!("breaker: {}; {KINDS}", self.mixture())),
        }
    }

    /// What is there of the keys that tell the kinds apart.
    fn mixture(&self) -> String {
        let keys = [
            ("errorRate", self.error_rate.is_some()),
            ("window", self.window.is_some()),
            ("minCalls", self.min_calls.is_some()),
            ("consecutiveFailures", self.consecutive_failures.is_some()),
            ("countWindow", self.count_window.is_some()),
        ];
        let there: Vec<&str> = keys.into_iter().filter(|(_, there)| *there).map(|(key, _)| key).collect();
        match there.as_slice() {
            [] => "nothing says when it opens".to_owned(),
            [one] => format!("`{one}` alone makes none of the three kinds"),
            several => format!("`{}` together make none of the three kinds", several.join("`, `")),
        }
    }
}

const KINDS: &str = "expected { errorRate, window, minCalls }, { consecutiveFailures }, or { countWindow, errorRate, minCalls }, each with deadline, openFor and trials";

impl Breaker {
    /// So much before the earliest moment that the declaration allows a circuit is taken as open.
    pub const EARLY_S: f64 = 0.6;

    /// And so much after the latest.
    pub const LATE_S: f64 = 0.5;

    /// So long before the first possible trial the agents are told to expect it.
    const AHEAD_S: f64 = 1.5;

    /// Two seconds hold one whole second of the load's clock.
    pub const MIN_QUIET_S: f64 = 2.0;

    /// The load gives a request up after 10 s.
    const MAX_DEADLINE_S: f64 = 9.0;

    /// A run waits for some of them.
    const MAX_OPEN_S: f64 = 300.0;

    /// More processes than that are no pod.
    const MAX_PROCESSES: u32 = 64;

    /// When the circuit of a warm pod under steady load has opened after its calls began to hang, in seconds: the
    /// earliest and the latest moment that the declaration allows at this pace. With several processes it is open
    /// once that of the last one is.
    pub fn opens_between_s(&self, pace: Pace) -> (f64, f64) {
        self.opens.between_s(self.deadline.0, pace.shared_by(self.per_process))
    }

    /// The earliest moment at any pace.
    pub fn earliest_s(&self) -> f64 {
        self.opens.earliest_s(self.deadline.0)
    }

    /// How long its calls are made to hang: until a circuit that opened at the earliest moment is about to let a trial
    /// through.
    pub fn hang_s(&self) -> f64 {
        self.first_trial_s() - Self::AHEAD_S
    }

    /// When a circuit that opened at the earliest moment may let a trial through, in seconds after its calls began to hang.
    pub fn first_trial_s(&self) -> f64 {
        self.earliest_s() - Self::EARLY_S + self.open_for.0
    }

    /// How much of that is left once a circuit has opened at the latest moment: nothing may wait then any more.
    pub fn quiet_s(&self, pace: Pace) -> f64 {
        self.hang_s() - self.opens_between_s(pace).1 - Self::LATE_S
    }

    /// Calls that a half-open pod may send before it is decided: each process tries on its own.
    pub fn trials_per_pod(&self) -> u32 {
        self.trials.saturating_mul(self.per_process)
    }

    /// What is wrong with the declaration, if the gate could not hold anything against it.
    fn wrong(&self) -> Option<String> {
        self.opens.wrong(self.deadline).or_else(|| self.wrong_times()).or_else(|| {
            if self.trials == 0 {
                Some("trials 0: expected at least 1, or the circuit never closes".to_owned())
            } else if !(1..=Self::MAX_PROCESSES).contains(&self.per_process) {
                Some(format!(
                    "perProcess {}: expected 1 to {} processes",
                    self.per_process,
                    Self::MAX_PROCESSES
                ))
            } else {
                None
            }
        })
    }

    fn wrong_times(&self) -> Option<String> {
        // No pace is faster than this: what is too short here is too short for everybody.
        let quiet_s = self.quiet_s(Pace::FASTEST);
        let shortest = self.open_for.0 + Self::MIN_QUIET_S - quiet_s;
        if self.deadline.0 > Self::MAX_DEADLINE_S {
            let limit = Self::MAX_DEADLINE_S;
            Some(format!(
                "deadline {}: expected at most {limit}s: users of the gate wait 10 s",
                self.deadline
            ))
        } else if self.open_for.0 > Self::MAX_OPEN_S {
            Some(format!("openFor {}: expected at most {}s", self.open_for, Self::MAX_OPEN_S))
        } else if quiet_s < Self::MIN_QUIET_S {
            Some(format!(
                "openFor {}: expected at least {shortest:.1}s with this kind and deadline: sooner, the trial call hides whether the circuit had opened",
                self.open_for
            ))
        } else {
            None
        }
    }
}
