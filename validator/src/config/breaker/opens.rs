//! What opens a circuit, and when it must have opened once every call hangs.

use std::fmt;

use super::super::Seconds;

/// The three kinds of breaker in use.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Opens {
    /// A share of failures over a time.
    ErrorRate {
        /// The share, above 0 and up to 1.
        error_rate: f64,
        /// Over which time.
        window: Seconds,
        /// Below this number of calls in the window it never opens.
        min_calls: u32,
    },
    /// So many failures in a row.
    Consecutive {
        /// How many.
        failures: u32,
    },
    /// A share of failures over the last calls.
    CountWindow {
        /// How many calls it looks back on.
        calls: u32,
        /// The share, above 0 and up to 1.
        error_rate: f64,
        /// Below this number of calls it never opens.
        min_calls: u32,
    },
}

/// How fast one circuit gets its calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Calls per second at one dependency, as in the quiet phase.
    pub calls_per_s: f64,
    /// Calls that may be under way at the same time: no more than the connections that were open.
    pub at_once: f64,
    /// Processes that share them.
    processes: u32,
}

impl Pace {
    /// Calls without end.
    pub const FASTEST: Self = Self { calls_per_s: f64::INFINITY, at_once: f64::INFINITY, processes: 1 };

    /// The pace of one pod.
    pub fn new(calls_per_s: f64, at_once: f64) -> Self {
        Self { calls_per_s, at_once: at_once.max(1.0), processes: 1 }
    }

    pub(super) fn shared_by(self, processes: u32) -> Self {
        Self { processes: processes.max(1), ..self }
    }
}

/// Retries of a failing call make up to so many of one.
const RETRIES: f64 = 2.0;

/// The longest window over time.
const MAX_WINDOW_S: f64 = 60.0;

/// More failures than a run can make in the time it has are no declaration.
const MAX_FAILURES: u32 = 1_000;

impl Opens {
    /// Seconds from the begin of the hang to the opening: the earliest and the latest that are right.
    ///
    /// **A share over a time.** A service that counts a call when it *begins* has seen `t` of `window` seconds hang at
    /// moment `t`, and opens at `errorRate * window`. One that counts a call when it *ends* knows the failures only a
    /// deadline `d` later, and the calls in between are in no count: the share is `(t - d) / (window - d)`, so that it
    /// opens at `errorRate * window + (1 - errorRate) * d`. One that divides the failures that have ended by the calls that
    /// have begun (opossum does) opens at `errorRate * window + d`. All are right; faster is as wrong as slower.
    ///
    /// **Failures in a row, or a share of the last calls.** `n` calls must have failed, and a call that hangs has
    /// failed after its deadline `d`. At `r` calls a second the last of them begins at `(n - 1) / r`, sooner with
    /// retries, later by chance: the number of calls in a time varies by its square root. Of `c` connections each
    /// carries one call in `d`, so that the last one cannot begin before `(n / c - 1) * d` when they are few.
    /// `k` processes share the calls by chance: the pod is open once the last of them has had its `n`.
    pub fn between_s(self, deadline: f64, pace: Pace) -> (f64, f64) {
        match self {
            Self::ErrorRate { error_rate, window, .. } => {
                let earliest = error_rate * window.0;
                (earliest, earliest + deadline)
            }
            Self::Consecutive { .. } | Self::CountWindow { .. } => {
                let processes = f64::from(pace.processes);
                let failures = f64::from(self.failures());
                let earliest = deadline + (failures * processes - 1.0) / (pace.calls_per_s * RETRIES);
                let unlucky = failures + 2.0 * failures.sqrt();
                let due = if pace.calls_per_s > 0.0 {
                    unlucky * processes / pace.calls_per_s
                } else {
                    f64::INFINITY
                };
                let rounds = (failures * processes / pace.at_once).ceil().max(1.0);
                (earliest.min(deadline + due), deadline * rounds + due)
            }
        }
    }

    /// The earliest moment at any pace.
    pub(super) fn earliest_s(self, deadline: f64) -> f64 {
        self.between_s(deadline, Pace::FASTEST).0
    }

    /// Failures that open it when every call fails.
    fn failures(self) -> u32 {
        match self {
            Self::ErrorRate { min_calls, .. } => min_calls,
            Self::Consecutive { failures } => failures,
            Self::CountWindow { calls, error_rate, .. } => (f64::from(calls) * error_rate).ceil() as u32,
        }
    }

    /// What must have left its memory before it is as new, in seconds; what counts calls forgets with the next ones.
    pub fn memory_s(self) -> f64 {
        match self {
            Self::ErrorRate { window, .. } => window.0,
            Self::Consecutive { .. } | Self::CountWindow { .. } => 1.0,
        }
    }

    /// How many calls a second it needs to open at all, and in words why.
    pub fn needs(self) -> Option<(f64, String)> {
        match self {
            Self::ErrorRate { window, min_calls, .. } => {
                Some((f64::from(min_calls) / window.0, format!("minCalls {min_calls} in {window}")))
            }
            Self::Consecutive { .. } | Self::CountWindow { .. } => None,
        }
    }

    pub(super) fn wrong(self, deadline: Seconds) -> Option<String> {
        let share = |rate: f64| {
            let right = rate > 0.0 && rate <= 1.0;
            (!right).then(|| format!("errorRate {rate}: expected a share above 0 and up to 1"))
        };
        match self {
            Self::ErrorRate { error_rate, window, .. } => share(error_rate).or_else(|| {
                if !(1.0..=MAX_WINDOW_S).contains(&window.0) {
                    Some(format!("window {window}: expected 1s to {MAX_WINDOW_S}s"))
                } else if deadline.0 > window.0 {
                    Some(format!(
                        "deadline {deadline}: expected at most {window}: a call must be known to have failed within the window"
                    ))
                } else {
                    None
                }
            }),
            Self::Consecutive { failures } => (!(1..=MAX_FAILURES).contains(&failures))
                .then(|| format!("consecutiveFailures {failures}: expected 1 to {MAX_FAILURES}")),
            Self::CountWindow { calls, error_rate, min_calls } => share(error_rate).or_else(|| {
                if (1..=MAX_FAILURES).contains(&calls) {
                    (min_calls > calls).then(|| {
                        format!("minCalls {min_calls}: expected at most countWindow {calls}, or it never opens")
                    })
                } else {
                    Some(format!("countWindow {calls}: expected 1 to {MAX_FAILURES} calls"))
                }
            }),
        }
    }
}

impl fmt::Display for Opens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ErrorRate { error_rate, window, min_calls } => {
                write!(f, "{:.0} % failures over {window}, at least {min_calls} calls", error_rate * 100.0)
            }
            Self::Consecutive { failures } => write!(f, "{failures} failures in a row"),
            Self::CountWindow { calls, error_rate, .. } => {
                write!(f, "{:.0} % failures of the last {calls} calls", error_rate * 100.0)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Opens, Pace, Seconds};

    const SHARE: Opens = Opens::ErrorRate { error_rate: 0.5, window: Seconds(10.0), min_calls: 10 };
    const ROW: Opens = Opens::Consecutive { failures: 5 };

    #[test]
    fn a_share_over_a_time_does_not_depend_on_the_pace() {
        assert_eq!(SHARE.between_s(3.0, Pace::new(1.0, 1.0)), (5.0, 8.0));
        assert_eq!(SHARE.between_s(3.0, Pace::FASTEST), (5.0, 8.0));
    }

    #[test]
    fn failures_in_a_row_come_a_deadline_after_the_calls() {
        let (early, late) = ROW.between_s(3.0, Pace::new(100.0, 10.0));
        assert!((early - 3.02).abs() < 0.001 && (3.05..3.2).contains(&late), "{early} {late}");
        assert_eq!(ROW.between_s(3.0, Pace::FASTEST), (3.0, 3.0));
    }

    #[test]
    fn one_connection_carries_one_hanging_call_after_the_other() {
        let (early, late) = ROW.between_s(3.0, Pace::new(100.0, 1.0));
        assert!(early < 3.1 && (15.0..15.2).contains(&late), "{early} {late}");
    }

    #[test]
    fn without_calls_it_never_has_to_open() {
        assert!(ROW.between_s(3.0, Pace::new(0.0, 4.0)).1.is_infinite());
    }

    #[test]
    fn several_processes_need_as_many_times_the_calls() {
        let calls = Opens::CountWindow { calls: 20, error_rate: 0.5, min_calls: 20 };
        let one = calls.between_s(1.0, Pace::new(50.0, 100.0));
        let four = calls.between_s(1.0, Pace::new(50.0, 100.0).shared_by(4));
        assert!((four.1 - 1.0) > 3.9 * (one.1 - 1.0), "{one:?} {four:?}");
        assert!(four.0 > one.0);
    }
}
