//! How long requests take in the baseline.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::evidence::{Fact, Histogram};

/// The share of the answers that stands for what is usual.
const NEARLY_ALL: f64 = 0.95;

/// How long requests take while nobody disturbs them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Usual {
    /// Nearly all of the slowest template; a single slow answer among a hundred says nothing of it.
    pub(super) nearly_all: Duration,
    /// Any of them: what was let in so long ago is done with.
    pub(super) longest: Duration,
}

impl Usual {
    /// Of the ten seconds that these facts are of.
    pub(super) fn of(baseline: &[Fact]) -> Self {
        let mut times: BTreeMap<usize, Histogram> = BTreeMap::new();
        let mut longest_ms: f64 = 0.0;
        for fact in baseline {
            match fact {
                Fact::Second(second) => times.entry(second.template).or_default().merge(&second.times),
                // Those that take more than a second are told one by one.
                Fact::Request(request) => longest_ms = longest_ms.max(request.took_ms),
                _ => {}
            }
        }
        let answered = times.values().filter(|times| times.0.iter().any(|count| *count > 0));
        let nearly_all_ms = answered.map(|times| times.quantile_ms(NEARLY_ALL)).fold(0.0, f64::max);
        let of = |ms: f64| Duration::from_secs_f64(ms / 1000.0);
        Self { nearly_all: of(nearly_all_ms), longest: of(longest_ms) }
    }
}
