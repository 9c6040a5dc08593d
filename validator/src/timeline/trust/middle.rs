//! Disturbances of the middle agents.

use super::{Disturbance, Source};
use crate::evidence::{Evidence, Fact, MiddleTrouble, Millis, Trouble};

/// An agent is found to be lost at most so long after it was: it forwards everything after 15 s without a word.
const UNNOTICED_MS: Millis = 15_000;

pub(super) fn disturbances(evidence: &Evidence) -> Vec<Disturbance> {
    let troubles = evidence.facts.iter().filter_map(|fact| match fact {
        Fact::Trouble(trouble) => Some(trouble),
        _ => None,
    });
    troubles.flat_map(of_trouble).collect()
}

/// A record with a hole in it is none, whenever one looks: what is missing would be held against the target.
fn of_trouble(fact: &MiddleTrouble) -> Vec<Disturbance> {
    let name = || fact.dependency.clone();
    let Some(told) = fact.trouble.disbelief() else { return Vec::new() };
    let why = format!("{}: {told}", fact.dependency);
    let ever = |source| Disturbance { from: Millis::MIN, to: Millis::MAX, source, why: why.clone() };
    match fact.trouble {
        Trouble::Encrypted | Trouble::Unread(_) => vec![ever(Source::Content(name()))],
        Trouble::Lost(_) => {
            let gone = Disturbance { from: fact.at - UNNOTICED_MS, ..ever(Source::Agent(name())) };
            vec![ever(Source::Record(name())), gone]
        }
        _ => vec![ever(Source::Record(name()))],
    }
}
