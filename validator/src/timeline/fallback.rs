//! Answers while a dependency is away: what is an honest one and what lets users down.

use super::LoadView;
use crate::evidence::{Histogram, Millis, Outcome, SecondFact};

/// Answers of a window in which calls to a dependency fail.
#[derive(Clone, Debug, Default)]
pub struct Fallback {
    /// Requests with any outcome.
    pub total: u64,
    /// Of these, neither below 500 nor 503 with `Retry-After`.
    pub wrong: u64,
    /// Of these, 503 without `Retry-After`.
    pub without_retry_after: u64,
    /// Times of answers.
    pub times: Histogram,
}

impl Fallback {
    /// The answers of one second.
    pub fn of(second: &SecondFact) -> Self {
        let mut sum = Self::default();
        sum.add(second);
        sum
    }

    fn add(&mut self, second: &SecondFact) {
        for (outcome, count) in second.outcomes.iter().filter(|(o, _)| *o != Outcome::Unsent) {
            self.total += u64::from(*count);
            let honest = !outcome.is_lost() || *outcome == Outcome::Answered(503);
            self.wrong += if honest { 0 } else { u64::from(*count) };
        }
        self.wrong += u64::from(second.without_retry_after);
        self.without_retry_after += u64::from(second.without_retry_after);
        self.times.merge(&second.times);
    }

    /// Adds the answers of another window.
    pub fn merge(&mut self, other: &Self) {
        self.total += other.total;
        self.wrong += other.wrong;
        self.without_retry_after += other.without_retry_after;
        self.times.merge(&other.times);
    }

    /// What was wrong with the wrong ones.
    pub fn reasons(&self) -> Option<String> {
        let bare = self.without_retry_after;
        (self.wrong > 0).then(|| format!("{} let down, {bare} of them 503 without Retry-After", self.wrong))
    }
}

impl LoadView<'_> {
    /// Sums the chosen seconds that lie wholly inside a window.
    pub fn fallback(&self, window: (Millis, Millis), chosen: impl Fn(&SecondFact) -> bool) -> Fallback {
        let mut sum = Fallback::default();
        for (_, second) in self.seconds_within(window).filter(|(_, second)| chosen(second)) {
            sum.add(second);
        }
        sum
    }
}
