//! Gives the orders for faults: at most one for a pod at a dependency, each with its own end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::evidence::Fault;
use crate::failure::Failure;
use crate::middle::{FaultOrder, PodNow};
use crate::steer::Interposition;

/// How often the agents' last words are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// The faults of one run.
pub(super) struct Faults<'a> {
    middle: &'a Interposition,
    next: AtomicU64,
    /// The last order of each pod at each dependency: what an agent said before it heard of that is of the one before.
    last: Mutex<BTreeMap<(String, String), u64>>,
}

impl<'a> Faults<'a> {
    pub(super) fn new(middle: &'a Interposition) -> Self {
        Self { middle, next: AtomicU64::new(1), last: Mutex::default() }
    }

    /// Sets a fault for some pods at once, in place of what they had there.
    pub(super) async fn set<'p>(
        &self,
        dependency: &str,
        pods: impl IntoIterator<Item = (&'p str, Fault)>,
        length: Duration,
    ) -> Result<(), Failure> {
        let order = |(pod, fault): (&str, Fault)| FaultOrder {
            id: self.next.fetch_add(1, Ordering::Relaxed),
            pod: pod.to_owned(),
            fault,
            for_ms: length.as_millis() as u64,
        };
        let new: Vec<FaultOrder> = pods.into_iter().map(order).collect();
        let ids = new.iter().map(|order| ((dependency.to_owned(), order.pod.clone()), order.id));
        self.last.lock().unwrap_or_else(PoisonError::into_inner).extend(ids);
        let replace = |orders: &mut Vec<FaultOrder>| {
            orders.retain(|old| !new.iter().any(|order| order.pod == old.pod));
            orders.extend(new);
        };
        self.middle.order(dependency, replace).await
    }

    /// Ends what a pod has at a dependency.
    pub(super) async fn clear(&self, dependency: &str, pod: &str) -> Result<(), Failure> {
        self.middle.order(dependency, |orders| orders.retain(|order| order.pod != pod)).await
    }

    /// Ends everything at a dependency.
    pub(super) async fn clear_all(&self, dependency: &str) -> Result<(), Failure> {
        self.middle.order(dependency, Vec::clear).await
    }

    /// What the agent says of a pod.
    pub(super) fn now(&self, dependency: &str, pod: &str) -> PodNow {
        self.middle.status(dependency).pods.get(pod).cloned().unwrap_or_default()
    }

    /// Waits until the trial of a pod is over; says whether it was seen.
    pub(super) async fn trial_over(&self, dependency: &str, pod: &str, at_most: Duration) -> bool {
        let key = (dependency.to_owned(), pod.to_owned());
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).get(&key).copied();
        let over = |now: &PodNow| {
            now.fault.as_ref().is_some_and(|fault| fault.released && last.is_none_or(|last| fault.id == last))
        };
        self.seen(dependency, pod, at_most, over).await
    }

    /// Waits until calls of a pod come again: more than a trial or two.
    pub(super) async fn calls_again(&self, dependency: &str, pod: &str, at_most: Duration) -> bool {
        let before = self.now(dependency, pod).calls;
        self.seen(dependency, pod, at_most, |now| now.calls >= before + 5).await
    }

    async fn seen(
        &self,
        dependency: &str,
        pod: &str,
        at_most: Duration,
        what: impl Fn(&PodNow) -> bool,
    ) -> bool {
        let deadline = Instant::now() + at_most;
        while Instant::now() < deadline {
            if what(&self.now(dependency, pod)) {
                return true;
            }
            sleep(LOOK).await;
        }
        false
    }
}
