//! A pod and the dependency before which something happens to it.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::circuit::Circuit;
use super::context::RunContext;
use crate::config::{Breaker, Protocol};
use crate::evidence::Fault;
use crate::failure::Failure;

/// So long calls are counted to know their rate.
const LOOK: Duration = Duration::from_secs(2);

/// Calls that stop for so long were stopped by the circuit, if its open time is not shorter.
const STOPPED: Duration = Duration::from_secs(3);

/// The share of its open time that a circuit surely lets no call through.
const OPEN_SHARE: f64 = 0.8;

/// What an injection is about.
#[derive(Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) context: &'a RunContext<'a>,
    pub(super) dependency: &'a str,
    pub(super) protocol: Protocol,
    /// Its declared breaker, with its times.
    pub(super) breaker: Option<(&'a Breaker, Circuit)>,
    pub(super) pod: &'a str,
}

impl Subject<'_> {
    /// Sets a fault in place of what the pod had there.
    pub(super) async fn set(&self, fault: Fault, length: Duration) -> Result<(), Failure> {
        self.context.faults.set(self.dependency, [(self.pod, fault)], length).await
    }

    /// Sets a fault and waits until it is over.
    pub(super) async fn hold(&self, fault: Fault, length: Duration) -> Result<(), Failure> {
        self.set(fault, length).await?;
        sleep(length).await;
        Ok(())
    }

    /// Ends what the pod has there.
    pub(super) async fn clear(&self) -> Result<(), Failure> {
        self.context.faults.clear(self.dependency, self.pod).await
    }

    /// What its breaker looks back on.
    pub(super) fn window(&self) -> Duration {
        self.breaker.map_or(Duration::ZERO, |(_, circuit)| circuit.window)
    }

    /// Waits for a moment, and for some seconds at least; gives the calls per second meanwhile.
    pub(super) async fn calls_per_s(&self, until: Instant) -> f64 {
        let (begin, before) = (Instant::now(), self.calls());
        sleep((until - begin).max(LOOK)).await;
        self.calls().saturating_sub(before) as f64 / begin.elapsed().as_secs_f64()
    }

    /// The most connections that any pod of the candidate has had open there: of one whose calls hung, its whole pool. One
    /// that came later has the same, and never filled it.
    pub(super) fn most_open(&self) -> u32 {
        let status = self.context.middle.status(self.dependency);
        status.pods.values().map(|pod| pod.most_open).max().unwrap_or_default()
    }

    /// Waits until calls stop for as long as an open circuit stops them.
    pub(super) async fn stopped(&self, at_most: Duration) {
        let open_for = self.breaker.map_or(Duration::MAX, |(_, circuit)| circuit.open_for);
        // A look of an agent is half a second old at most.
        let long = STOPPED.min(open_for.mul_f64(OPEN_SHARE)) + Duration::from_millis(500);
        let deadline = Instant::now() + at_most;
        let (mut calls, mut since) = (self.calls(), Instant::now());
        while Instant::now() < deadline && since.elapsed() < long {
            sleep(Duration::from_millis(100)).await;
            let now = self.calls();
            if now != calls {
                (calls, since) = (now, Instant::now());
            }
        }
    }

    fn calls(&self) -> u64 {
        self.context.faults.now(self.dependency, self.pod).calls
    }
}
