//! Failures in part: shares that a declared breaker has to bear, and shares that open it.

use super::{Breaker, Opens};

/// A share that lies so far beside the declared one is surely on one side of it.
const MARGIN: f64 = 0.1;

/// Of calls that are failed evenly, a stretch holds so many more or fewer than its share.
const UNEVEN_CALLS: f64 = 2.5;

/// Processes that share calls by chance: three standard deviations of the share of each, times the square root of its
/// calls.
const CHANCE: f64 = 1.5;

/// Every tenth call: with this many failures in a row to open it, calls that end in another order than they began
/// do not make a row.
const FEW_PERCENT: u8 = 10;
const LONG_ROW: u32 = 3;

/// What has to be full of failures needs a second more than its length: counts are kept by the second.
const BUCKET_S: f64 = 1.0;

impl Breaker {
    /// The share of failing calls, in percent, that it has to bear at this pace of one pod; none if none is surely so.
    ///
    /// With a share over a time or over calls it lies ten points below the declared one, more when the calls are few;
    /// with failures in a row, every failure is followed by successes.
    pub fn borne_percent(&self, calls_per_s: f64) -> Option<u8> {
        let Some((rate, margin)) = self.rate_and_margin(calls_per_s) else {
            let Opens::Consecutive { failures } = self.opens else { return None };
            return (failures >= LONG_ROW).then_some(FEW_PERCENT);
        };
        let percent = ((rate - margin) * 100.0).round();
        (percent >= 1.0).then_some(percent as u8)
    }

    /// The share that has to open it; all calls with failures in a row.
    pub fn opening_percent(&self, calls_per_s: f64) -> u8 {
        let share = self.rate_and_margin(calls_per_s).map_or(1.0, |(rate, margin)| (rate + margin).min(1.0));
        (share * 100.0).round() as u8
    }

    /// Whether so large a share is one that has to open it.
    pub fn opens_at_percent(&self, percent: u8) -> bool {
        let share = f64::from(percent) / 100.0;
        match self.opens {
            // Nothing is above a rate of all.
            Opens::ErrorRate { error_rate, .. } | Opens::CountWindow { error_rate, .. } => {
                share > error_rate || share >= 1.0
            }
            Opens::Consecutive { .. } => percent >= 100,
        }
    }

    /// How long calls have to fail in part until what it looks back on holds nothing older, in seconds: then it has
    /// opened, or it never does. Infinite without calls, and where a window never holds the minimum of them.
    ///
    /// What is failed is answered at once: no deadline passes. A window that starts anew instead of sliding, and had just
    /// started, needs its minimum of calls on top.
    pub fn fills_s(&self, calls_per_s: f64) -> f64 {
        let per_process = calls_per_s / f64::from(self.per_process);
        // The number of calls in a time varies by its square root.
        let due = |calls: u32| (f64::from(calls) + 2.0 * f64::from(calls).sqrt()) / per_process;
        let seconds = match self.opens {
            Opens::ErrorRate { window, min_calls, .. } if per_process * window.0 < f64::from(min_calls) => {
                f64::INFINITY
            }
            Opens::ErrorRate { window, min_calls, .. } => window.0 + due(min_calls),
            Opens::Consecutive { failures } => due(failures),
            Opens::CountWindow { calls, .. } => due(calls),
        };
        seconds + BUCKET_S
    }

    /// The declared share, and how far beside it a share has to lie.
    fn rate_and_margin(&self, calls_per_s: f64) -> Option<(f64, f64)> {
        let (rate, calls) = match self.opens {
            Opens::ErrorRate { error_rate, window, .. } => {
                (error_rate, calls_per_s * window.0 / f64::from(self.per_process))
            }
            Opens::CountWindow { calls, error_rate, .. } => (error_rate, f64::from(calls)),
            Opens::Consecutive { .. } => return None,
        };
        let by_chance = if self.per_process > 1 { CHANCE / calls.sqrt() } else { 0.0 };
        Some((rate, MARGIN.max(UNEVEN_CALLS / calls + by_chance)))
    }
}

/// The share of calls, in percent, of which no more than `whole` percent of the requests meet one, if each makes so many:
/// a breaker may count them one by one, or all of a request as one. None if that is nothing.
pub fn of_each_call(whole: u8, calls_per_request: f64) -> Option<u8> {
    let spared = (1.0 - f64::from(whole) / 100.0).powf(1.0 / calls_per_request.max(1.0));
    let percent = ((1.0 - spared) * 100.0).round();
    (percent >= 1.0).then_some(percent as u8)
}

#[cfg(test)]
mod tests {
    use super::of_each_call;
    use crate::config::Breaker;

    fn breaker(opens: &str) -> Breaker {
        let times = r#""deadline": "3s", "openFor": "30s", "trials": 1"#;
        serde_json::from_str(&format!("{{ {opens}, {times} }}")).unwrap()
    }

    #[test]
    fn ten_points_beside_the_declared_share_are_enough_for_many_calls() {
        let share = breaker(r#""errorRate": 0.5, "window": "10s", "minCalls": 10"#);
        assert_eq!((share.borne_percent(30.0), share.opening_percent(30.0)), (Some(40), 60));
        assert!(!share.opens_at_percent(40) && share.opens_at_percent(60));
        assert_eq!((share.borne_percent(1.0), share.opening_percent(1.0)), (Some(25), 75), "few calls");
        assert!((11.0..12.0).contains(&share.fills_s(30.0)) && share.fills_s(0.0).is_infinite());
    }

    #[test]
    fn a_window_that_never_holds_the_minimum_of_calls_is_never_full() {
        let four = breaker(r#""errorRate": 0.5, "window": "10s", "minCalls": 100, "perProcess": 4"#);
        assert!(four.fills_s(30.0).is_infinite(), "75 calls in the window of each process");
        assert!(four.fills_s(45.0).is_finite());
    }

    #[test]
    fn of_several_calls_each_fails_less_often_than_their_request() {
        assert_eq!((of_each_call(40, 1.0), of_each_call(40, 0.3)), (Some(40), Some(40)));
        assert_eq!((of_each_call(40, 2.0), of_each_call(40, 4.0)), (Some(23), Some(12)));
        assert_eq!(of_each_call(1, 9.0), None);
    }

    #[test]
    fn a_share_near_nothing_or_all_has_one_side_alone() {
        let low = breaker(r#""errorRate": 0.1, "window": "10s", "minCalls": 10"#);
        assert_eq!((low.borne_percent(100.0), low.opening_percent(100.0)), (None, 20));
        let high = breaker(r#""errorRate": 1.0, "window": "10s", "minCalls": 10"#);
        assert_eq!((high.borne_percent(100.0), high.opening_percent(100.0)), (Some(90), 100));
        assert!(!high.opens_at_percent(90) && high.opens_at_percent(100));
    }

    #[test]
    fn failures_in_a_row_are_borne_one_by_one_and_open_it_together() {
        let row = breaker(r#""consecutiveFailures": 5"#);
        assert_eq!((row.borne_percent(50.0), row.opening_percent(50.0)), (Some(10), 100));
        assert!(!row.opens_at_percent(10) && row.opens_at_percent(100));
        assert_eq!(breaker(r#""consecutiveFailures": 1"#).borne_percent(50.0), None);
    }

    #[test]
    fn several_processes_see_their_share_by_chance() {
        let one = breaker(r#""countWindow": 100, "errorRate": 0.5"#);
        let four = breaker(r#""countWindow": 100, "errorRate": 0.5, "perProcess": 4"#);
        assert_eq!((one.borne_percent(50.0), four.borne_percent(50.0)), (Some(40), Some(33)));
        assert!(four.fills_s(50.0) > 3.0 * one.fills_s(50.0));
    }
}
