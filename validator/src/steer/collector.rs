//! What a platform sees of the target, kept in order, and its present pods shown to whoever steers the run.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::PodTable;
use crate::evidence::{Fact, Gap, ObjectKind};
use crate::moment::now;
use crate::pulse::Pulse;

/// What was seen, in order; guarded for one push or one copy.
pub(crate) type Facts = Arc<Mutex<Vec<Fact>>>;

/// What looks at one target for as long as it is not finished.
pub struct Collector {
    watches: JoinSet<()>,
    keeper: Option<JoinHandle<()>>,
    facts: Facts,
    pods: watch::Receiver<PodTable>,
    pulse: Option<Arc<Pulse>>,
}

impl Collector {
    /// Over facts that others write. `watches` are those that would not end by themselves, `keeper` ends once they have.
    pub(crate) fn new(
        watches: JoinSet<()>,
        keeper: Option<JoinHandle<()>>,
        facts: Facts,
        pods: watch::Receiver<PodTable>,
    ) -> Self {
        Self { watches, keeper, facts, pods, pulse: None }
    }

    /// Hands the signs of life of something over as well.
    pub(crate) fn beside(self, pulse: Arc<Pulse>) -> Self {
        Self { pulse: Some(pulse), ..self }
    }

    /// The present pods; the receiver is told of every change.
    pub fn pods(&self) -> watch::Receiver<PodTable> {
        self.pods.clone()
    }

    /// What was seen until now.
    pub fn seen(&self) -> Vec<Fact> {
        self.facts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Ends the watches and hands over what they saw.
    pub async fn finish(mut self) -> Vec<Fact> {
        let dead = self.watches.try_join_next().map(|_| {
            let at = now();
            Fact::Gap(Gap { at, since: at, kind: ObjectKind::Pod, reason: "a watch ended by itself".into() })
        });
        self.watches.shutdown().await;
        if let Some(keeper) = &mut self.keeper {
            keeper.await.ok(); // it ends with the watches
        }
        let beats = self.pulse.iter().flat_map(|pulse| pulse.facts());
        self.seen().into_iter().chain(dead).chain(beats).collect()
    }
}
