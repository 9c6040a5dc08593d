//! Answers while a dependency is away: what is an honest one and what lets users down.

use std::collections::BTreeMap;

use super::{About, Kind, LoadView, Timeline};
use crate::evidence::{Histogram, Millis, Outcome, SecondFact};

/// Answers of a window in which calls to a dependency fail.
#[derive(Clone, Debug, Default)]
pub struct Fallback {
    /// Requests with any outcome.
    pub total: u64,
    /// Of these, neither a right answer nor 503 with `Retry-After`.
    pub wrong: u64,
    /// Of these, 503 without `Retry-After`.
    pub without_retry_after: u64,
    /// Times of answers.
    pub times: Histogram,
}

impl Fallback {
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

/// Answers of one template in a window that took longer than they may.
#[derive(Clone, Copy, Debug)]
pub struct Slower {
    /// Number of the request in the plan.
    pub template: usize,
    /// Time of 99 % of them, in ms.
    pub p99_ms: f64,
    /// What it was held against, in ms.
    pub limit_ms: f64,
}

impl LoadView<'_> {
    /// Sums the chosen seconds that lie wholly inside a window.
    pub fn fallback(&self, window: (Millis, Millis), chosen: impl Fn(&SecondFact) -> bool) -> Fallback {
        let mut sum = Fallback::default();
        for (_, second) in self.seconds_within(window).filter(|(_, second)| chosen(second)) {
            sum.merge(&self.fallback_of(second));
        }
        sum
    }

    /// The answers of one second.
    pub fn fallback_of(&self, second: &SecondFact) -> Fallback {
        let bare = u64::from(second.without_retry_after);
        let mut sum = Fallback {
            wrong: bare,
            without_retry_after: bare,
            times: second.times.clone(),
            ..Fallback::default()
        };
        for (outcome, count) in second.outcomes.iter().filter(|(o, _)| o.is_telling()) {
            sum.total += u64::from(*count);
            let honest = !self.is_lost(second.template, *outcome) || *outcome == Outcome::Answered(503);
            sum.wrong += if honest { 0 } else { u64::from(*count) };
        }
        sum
    }
}

impl Timeline<'_> {
    /// Tells which parts of a window count: those in which the run itself was not disturbed; all of them where they are too few,
    /// since the judge strikes the whole then.
    pub fn calm_in<'s>(
        &'s self,
        rests_on: &'s [Kind],
        window: (Millis, Millis),
    ) -> impl Fn((Millis, Millis)) -> bool {
        let disturbed = move |window| self.trust.explains(rests_on, About::default(), window).is_some();
        let too_many = disturbed(window);
        move |part| too_many || !disturbed(part)
    }

    /// Templates of the chosen seconds inside a window of which 99 % took longer than this limit, and than twice what
    /// is usual for them: longer than the next bound of the histogram, since of what lies between two bounds no more is known. A few answers decide about 99 %: seconds in which the run itself was disturbed are left out,
    /// unless they are so many that the rest tells nothing; then the judge strikes the whole.
    pub fn slower(
        &self,
        rests_on: &[Kind],
        window: (Millis, Millis),
        floor_ms: f64,
        chosen: impl Fn(&SecondFact) -> bool,
    ) -> Vec<Slower> {
        let is_calm = self.calm_in(rests_on, window);
        let calm = |second: &SecondFact| is_calm(second.during());
        let mut times: BTreeMap<usize, Histogram> = BTreeMap::new();
        let load = &self.load;
        for (_, second) in load.seconds_within(window).filter(|(_, second)| chosen(second) && calm(second)) {
            times.entry(second.template).or_default().merge(&second.times);
        }
        let slower = times.into_iter().map(|(template, times)| {
            let (p99_ms, limit_ms) = (times.quantile_ms(0.99), load.at_least_usual_ms(template, floor_ms));
            Slower { template, p99_ms, limit_ms }
        });
        slower.filter(|one| one.p99_ms >= Histogram::bound_from(one.limit_ms)).collect()
    }
}
