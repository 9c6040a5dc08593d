//! Steers one middle agent: its objects, its API, and what to do when its pod is another one.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::Method;
use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::Cluster;
use super::api_link::{ApiLink, ClockOffset};
use super::selector::MIDDLE_LABEL;
use crate::config::Dependency;
use crate::evidence::{Fact, MiddleClock, MiddleFact, MiddleTrouble, Trouble};
use crate::failure::Failure;
use crate::middle::{FaultOrder, Learning, MIDDLE_PORT, MiddleStatus, Targets};
use crate::moment::now;

/// How often an agent is asked; each question is a word that keeps its faults alive.
const PERIOD: Duration = Duration::from_millis(250);

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(3);

/// How long a pod that stopped answering is asked again before another one is looked for.
const PATIENCE: Duration = Duration::from_secs(2);

/// How much later than here an order may begin at the agent: until then it ends there by itself, not by being left out.
const LATE: Duration = Duration::from_secs(2);

/// One agent.
pub(super) struct Middle {
    pub(super) cluster: Cluster,
    pub(super) dependency: Dependency,
    /// Name of its Deployment, of its shadow Service, and the value of its label.
    pub(super) object: String,
    // Guards the handle of the present pod; held while it is copied or set.
    link: Mutex<Linked>,
    status: watch::Sender<MiddleStatus>,
    // Held for one PUT: orders reach the agent in the order in which they were given.
    orders: tokio::sync::Mutex<Orders>,
    targets: watch::Sender<Targets>,
    troubles: Mutex<Vec<Fact>>,
}

/// The faults that one process of an agent was told of and that have not run out.
#[derive(Default)]
struct Orders {
    instance: u64,
    given: Vec<(FaultOrder, Instant)>,
}

impl Orders {
    /// Changes them and gives what is to be in force now. One that has run out is not given again, and a process knows
    /// nothing of those that the one before it was told of: its record of them has a hole in any case.
    fn change(
        &mut self,
        instance: u64,
        now: Instant,
        change: impl FnOnce(&mut Vec<FaultOrder>),
    ) -> Vec<FaultOrder> {
        let before = std::mem::take(&mut self.given);
        let known = self.instance == instance;
        let left: Vec<_> = before.into_iter().filter(|(_, end)| known && *end > now).collect();
        let mut present: Vec<FaultOrder> = left.iter().map(|(order, _)| order.clone()).collect();
        change(&mut present);
        let end = |order: &FaultOrder| {
            let given = left.iter().find(|(old, _)| old.id == order.id).map(|(_, end)| *end);
            given.unwrap_or(now + Duration::from_millis(order.for_ms) + LATE)
        };
        self.given = present.iter().map(|order| (order.clone(), end(order))).collect();
        self.instance = instance;
        present
    }
}

#[derive(Clone)]
struct Linked {
    api: ApiLink,
    instance: u64,
    clock: ClockOffset,
}

impl Middle {
    /// Connects to the pod of an agent that was just created; waits until it answers.
    pub(super) async fn connect(
        cluster: &Cluster,
        dependency: &Dependency,
        object: &str,
        deadline: Instant,
    ) -> Result<Arc<Self>, Failure> {
        let mut reason = "its pod does not run".to_owned();
        while Instant::now() < deadline {
            match linked(cluster, object).await? {
                Ok(link) => {
                    return Ok(Arc::new(Self {
                        cluster: cluster.clone(),
                        dependency: dependency.clone(),
                        object: object.to_owned(),
                        link: Mutex::new(link),
                        status: watch::channel(MiddleStatus::default()).0,
                        orders: tokio::sync::Mutex::default(),
                        targets: watch::channel(Targets::new()).0,
                        troubles: Mutex::default(),
                    }));
                }
                Err(error) => reason = error,
            }
            sleep(PERIOD).await;
        }
        Err(Failure::environment(format!("middle agent {object} did not start: {reason}"))
            .hint(format!("kubectl describe deployment {object} -n {}", cluster.namespace())))
    }

    /// Name of the pod it runs in.
    pub(super) fn pod(&self) -> String {
        self.linked().api.pod
    }

    /// The last status heard.
    pub(super) fn status(&self) -> MiddleStatus {
        self.status.borrow().clone()
    }

    /// Tells it the pods of the target.
    pub(super) async fn aim(&self, targets: Targets) -> Result<(), String> {
        self.targets.send_replace(targets.clone());
        self.linked().api.send(Method::PUT, "/targets", &targets).await
    }

    /// Changes the faults in force and tells it all of them.
    pub(super) async fn order(&self, change: impl FnOnce(&mut Vec<FaultOrder>)) -> Result<(), Failure> {
        let mut orders = self.orders.lock().await;
        let Linked { api, instance, .. } = self.linked();
        let present = orders.change(instance, Instant::now(), change);
        let told = api.send(Method::PUT, "/faults", &present).await;
        told.map_err(|error| self.lost(&error))
    }

    pub(super) async fn learn(&self, on: bool) -> Result<(), Failure> {
        let told = self.linked().api.send(Method::PUT, "/learning", &Learning { on }).await;
        told.map_err(|error| self.lost(&error))
    }

    pub(super) async fn hand_back(&self) -> Result<(), Failure> {
        let told = self.linked().api.send(Method::POST, "/hand-back", &()).await;
        told.map_err(|error| self.lost(&error))
    }

    /// Where it stands, what it saw and what happened to it, on our clock.
    pub(super) async fn evidence(&self, since: crate::evidence::Millis) -> Vec<Fact> {
        let Linked { api, clock, .. } = self.linked();
        let ClockOffset { offset_ms, uncertainty_ms } = clock;
        let standing = Fact::Middle(MiddleFact {
            at: since,
            dependency: self.dependency.name.clone(),
            service: self.dependency.upstream.to_string(),
            protocol: self.dependency.protocol,
            standing: Ok(MiddleClock { offset_ms, uncertainty_ms }),
        });
        let seen = api.evidence().await.unwrap_or_else(|error| {
            self.trouble(Trouble::Lost(error));
            Vec::new()
        });
        let offset = offset_ms.round() as crate::evidence::Millis;
        let troubles = std::mem::take(&mut *self.troubles.lock().unwrap_or_else(PoisonError::into_inner));
        let seen = seen.into_iter().map(|fact| fact.shifted(offset));
        std::iter::once(standing).chain(seen).chain(troubles).collect()
    }

    /// Notes that something happened to it.
    pub(super) fn trouble(&self, trouble: Trouble) {
        let dependency = self.dependency.name.clone();
        let fact = Fact::Trouble(MiddleTrouble { at: now(), dependency, trouble });
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).push(fact);
    }

    /// Asks for the status over and over, until dropped; finds the new pod when the old one is gone.
    pub(super) async fn keep(self: Arc<Self>) {
        let mut heard = Instant::now();
        loop {
            match self.linked().api.ask::<MiddleStatus>("/status", ANSWER).await {
                Ok(status) => {
                    heard = Instant::now();
                    if status.instance != self.linked().instance {
                        self.find_again().await;
                    }
                    self.status.send_replace(status);
                }
                Err(error) if heard.elapsed() > PATIENCE => {
                    tracing::debug!(%error, agent = self.object, "looking for its pod again");
                    self.find_again().await;
                }
                Err(_) => {}
            }
            sleep(PERIOD).await;
        }
    }

    /// A new pod knows nothing: neither the target's pods nor the faults, which are not set again, because the record
    /// of them has a hole in any case.
    async fn find_again(&self) {
        let Ok(Ok(found)) = linked(&self.cluster, &self.object).await else {
            return;
        };
        let before = self.linked();
        if found.instance == before.instance {
            return;
        }
        let (old, new) = (&before.api.pod, &found.api.pod);
        self.trouble(Trouble::Lost(format!("the agent in pod {old} is gone; one in {new} took its place")));
        let targets = self.targets.borrow().clone();
        if let Err(error) = found.api.send(Method::PUT, "/targets", &targets).await {
            tracing::warn!(%error, "the new agent does not take the list of pods");
        }
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = found;
    }

    fn linked(&self) -> Linked {
        self.link.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn lost(&self, error: &str) -> Failure {
        Failure::environment(format!(
            "middle agent {} before {}: {error}",
            self.object, self.dependency.upstream
        ))
        .hint("look at its pod with `kubectl logs`; it forwards everything by itself after 15 s")
    }
}

/// The running pod of an agent, if there is one that answers.
async fn linked(cluster: &Cluster, object: &str) -> Result<Result<Linked, String>, Failure> {
    let pods: Api<Pod> = cluster.api();
    let ours = ListParams::default().labels(&format!("{MIDDLE_LABEL}={object}"));
    let found = cluster.call("find a middle agent", pods.list(&ours)).await?;
    let phase = |pod: &Pod| pod.status.as_ref().and_then(|s| s.phase.clone()).unwrap_or_default();
    let alive = |pod: &&Pod| pod.metadata.deletion_timestamp.is_none() && phase(pod) == "Running";
    let Some(pod) = found.iter().find(alive).map(ResourceExt::name_any) else {
        return Ok(Err("its pod does not run".to_owned()));
    };
    let api = ApiLink::new(pods, pod, MIDDLE_PORT);
    Ok(link(api).await)
}

async fn link(api: ApiLink) -> Result<Linked, String> {
    let status: MiddleStatus = api.ask("/status", ANSWER).await?;
    if !status.reached {
        return Err("it does not reach the dependency; does a NetworkPolicy keep it out?".to_owned());
    }
    let clock = api.clock().await?;
    Ok(Linked { api, instance: status.instance, clock })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::Fault;

    fn order(id: u64, for_ms: u64) -> FaultOrder {
        FaultOrder { id, pod: format!("pod-{id}"), fault: Fault::Hang, for_ms }
    }

    fn ids(orders: &[FaultOrder]) -> Vec<u64> {
        orders.iter().map(|order| order.id).collect()
    }

    #[test]
    fn what_has_run_out_or_was_told_to_another_process_is_not_ordered_again() {
        let (mut orders, start) = (Orders::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let present = orders.change(1, start, |all| all.extend([order(1, 1_000), order(2, 60_000)]));
        assert_eq!(ids(&present), [1, 2]);
        assert_eq!(ids(&orders.change(1, at(2), |_| {})), [1, 2], "it may have begun late");
        assert_eq!(ids(&orders.change(1, at(4), |all| all.push(order(3, 60_000)))), [2, 3]);
        assert_eq!(ids(&orders.change(2, at(5), |all| all.push(order(4, 60_000)))), [4], "another process");
        assert!(orders.change(2, at(80), Vec::clear).is_empty());
    }
}
