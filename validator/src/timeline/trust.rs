//! When the run itself was disturbed: by whom, for how long, and why that is known.
//!
//! A disturbance can look like a fault of the target. Which kinds can is told by each check; what they overlap is struck
//! by [`crate::judge`] alone.

mod about;
mod dependency;
mod disturbance;
mod load;
mod middle;
mod prober;
mod removal;
mod stall;
mod target;

use super::{PodLife, Unmeasured};
use crate::config::Protocol;
use crate::evidence::{Evidence, Fact, Millis};

pub use about::About;
pub use disturbance::{Disturbance, Kind, Source};
pub use load::{LateSecond, late_seconds};

/// A case up to this long is struck by whatever touches it.
const BRIEF_MS: Millis = 10_000;

/// A longer one when more than this share of it was disturbed.
const TELLING_SHARE: f64 = 0.2;

/// All disturbances of a run.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// In no order.
    pub disturbances: Vec<Disturbance>,
    /// Dependencies of which nothing that is said is read: no disturbance, since they were declared so.
    only_bytes: Vec<String>,
}

impl Trust {
    pub(super) fn new(evidence: &Evidence, pods: &[PodLife]) -> Self {
        let mut disturbances = middle::disturbances(evidence);
        disturbances.extend(load::disturbances(evidence));
        disturbances.extend(stall::disturbances(evidence));
        disturbances.extend(prober::disturbances(evidence));
        disturbances.extend(target::disturbances(evidence));
        disturbances.extend(removal::disturbances(pods));
        disturbances.extend(dependency::disturbances(evidence));
        disturbances.extend(evidence.facts.iter().filter_map(watch));
        let only_bytes = evidence.facts.iter().filter_map(|fact| match fact {
            Fact::Middle(middle) if middle.protocol == Protocol::Tcp => Some(middle.dependency.clone()),
            _ => None,
        });
        Self { disturbances, only_bytes: only_bytes.collect() }
    }

    /// Those of some kinds that touch a window and what it is about.
    pub fn during<'s, 'k>(
        &'s self,
        kinds: &'k [Kind],
        about: About<'k>,
        window: (Millis, Millis),
    ) -> impl Iterator<Item = &'s Disturbance> + use<'s, 'k> {
        let mine = self.disturbances.iter().filter(|d| kinds.contains(&d.source.kind()));
        mine.filter(move |d| d.source.touches(about) && d.overlaps(window))
    }

    /// What disturbed a stretch: anything at all that touches a brief one, and of a longer one so much that the rest of it
    /// is not enough. One late second explains a slow answer; it does not explain a circuit that stays closed for half a
    /// minute.
    pub fn explains(
        &self,
        kinds: &[Kind],
        about: About<'_>,
        window: (Millis, Millis),
    ) -> Option<&Disturbance> {
        let first = self.during(kinds, about, window).next()?;
        let is_brief = window.1 - window.0 <= BRIEF_MS;
        let disturbed = || 1.0 - self.clear_share(kinds, about, window);
        (is_brief || disturbed() > TELLING_SHARE).then_some(first)
    }

    /// The share of a window in which none of these kinds was disturbed, from 0 to 1.
    pub fn clear_share(&self, kinds: &[Kind], about: About<'_>, (from, to): (Millis, Millis)) -> f64 {
        let touching = self.during(kinds, about, (from, to));
        let inside = touching.map(|d| (d.from.max(from), d.to.min(to)));
        let mut disturbed: Vec<(Millis, Millis)> = inside.collect();
        disturbed.sort_unstable();
        let (mut covered, mut until) = (0, from);
        for (begin, end) in disturbed {
            covered += (end - begin.max(until)).max(0);
            until = until.max(end);
        }
        1.0 - covered as f64 / (to - from).max(1) as f64
    }

    /// Whether what was said to a dependency, and what it answered, was written down without a hole. A record with a
    /// hole in it is none: what is missing would be held against the target.
    ///
    /// # Errors
    /// The reason why it was not.
    pub fn was_read(&self, dependency: &str) -> Result<(), Unmeasured> {
        self.whole(&[Kind::Record, Kind::Content], dependency)?;
        if self.only_bytes.iter().any(|name| name == dependency) {
            let why = format!("{dependency}: with protocol tcp only its connections and bytes are known");
            return Err(Unmeasured::NotSeen(why));
        }
        Ok(())
    }

    /// Whether at least the connections to a dependency are known, and what was done to them.
    ///
    /// # Errors
    /// The reason why they are not.
    pub fn was_connected(&self, dependency: &str) -> Result<(), Unmeasured> {
        self.whole(&[Kind::Record], dependency)
    }

    fn whole(&self, kinds: &[Kind], dependency: &str) -> Result<(), Unmeasured> {
        let hole = self.during(kinds, About::dependency(dependency), (Millis::MIN, Millis::MAX)).next();
        hole.map_or(Ok(()), |hole| Err(Unmeasured::NotSeen(hole.why.clone())))
    }
}

fn watch(fact: &Fact) -> Option<Disturbance> {
    let Fact::Gap(gap) = fact else { return None };
    let why = format!("the watch of {} was interrupted ({})", gap.kind.plural(), gap.reason);
    Some(Disturbance { from: gap.since, to: gap.at, source: Source::Watch(gap.kind), why })
}
