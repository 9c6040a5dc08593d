//! What runs have proven, kept in memory: an answer waits for nobody.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::Read as _;
use std::mem::take;
use std::pin::pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use flate2::read::GzDecoder;
use futures_util::StreamExt as _;
use golive_pillars::health::Probe;
use golive_pillars::metrics::prometheus_client::registry::Registry;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::core::DynamicObject;
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use serde_json::to_value;
use tokio::time::sleep;

use super::known::Run;
use super::reads::{Failures, Read};
use crate::api_server::answer;
use crate::config::GoLivePolicy;
use crate::operator::kinds::{self, RUN_OF};
use crate::operator::policies;
use crate::report::Report;
use crate::verify::Proof;

/// How soon what could not be read is read again.
const AGAIN: Duration = Duration::from_secs(5);

/// How often the policy is read.
const POLICY_PERIOD: Duration = Duration::from_secs(15);

/// No report is longer than this, packed or not.
const MAX_REPORT: u64 = 64 * 1024 * 1024;

/// Runs of a namespace by their identity.
pub(super) type Runs = BTreeMap<String, Arc<Run>>;

/// What is known now: all runs in the order of namespaces, and the policy.
pub(super) type Snapshot = (Arc<Vec<Arc<Run>>>, Arc<GoLivePolicy>);

/// What is known, and where it comes from.
pub(super) struct Knowledge {
    client: Client,
    policy: String,
    state: RwLock<State>,
    failures: Failures,
}

struct State {
    /// By namespace; none before it was listed.
    runs: BTreeMap<String, Option<Runs>>,
    /// The same in one, made anew at every change.
    all: Arc<Vec<Arc<Run>>>,
    policy: Result<Arc<GoLivePolicy>, String>,
}

impl Knowledge {
    /// Knows nothing so far.
    pub(super) fn new(client: Client, namespaces: &[String], policy: &str) -> Self {
        let runs = namespaces.iter().map(|namespace| (namespace.clone(), None)).collect();
        let known = match policy {
            GoLivePolicy::BUILT_IN => Ok(Arc::default()),
            other => Err(format!("GoLivePolicy `{other}` is not read yet")),
        };
        let state = State { runs, all: Arc::default(), policy: known };
        Self { client, policy: policy.to_owned(), state: RwLock::new(state), failures: Failures::new() }
    }

    /// Adds the reads that failed to `registry`.
    pub(super) fn register(&self, registry: &mut Registry) {
        self.failures.register(registry);
    }

    /// What is known now.
    ///
    /// # Errors
    /// What is not known yet, without which no answer would be right.
    pub(super) fn now(&self) -> Result<Snapshot, String> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        match state.runs.iter().find(|(_, runs)| runs.is_none()) {
            Some((namespace, _)) => Err(format!("the runs of {namespace} are not read yet")),
            None => Ok((state.all.clone(), state.policy.clone()?)),
        }
    }

    /// Follows the runs of a namespace, and never ends.
    pub(super) async fn follow(&self, namespace: &str) {
        loop {
            if let Err(error) = self.watch(namespace).await {
                self.failures.count(Read::Report);
                tracing::warn!(namespace, %error, "a report cannot be read; all are looked at again");
            }
            sleep(AGAIN).await;
        }
    }

    async fn watch(&self, namespace: &str) -> Result<(), kube::Error> {
        let runs: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), namespace, &kinds::runs());
        let mut events = pin!(watcher::watcher(runs, watcher::Config::default()).default_backoff());
        let mut listed = Runs::new();
        while let Some(event) = events.next().await {
            match event {
                Ok(event) => self.heed(namespace, event, &mut listed).await?,
                // It goes on by itself, more and more seldom.
                Err(error) => {
                    self.failures.count(Read::Runs);
                    tracing::warn!(namespace, %error, "runs are not followed");
                }
            }
        }
        Ok(())
    }

    /// Takes in what happened; `listed` is what a list that is under way has brought so far.
    ///
    /// # Errors
    /// A report that could not be fetched: what is known stays as it was.
    pub(super) async fn heed(
        &self,
        namespace: &str,
        event: Event<DynamicObject>,
        listed: &mut Runs,
    ) -> Result<(), kube::Error> {
        match event {
            Event::Init => listed.clear(),
            Event::InitApply(run) => {
                if let Some(read) = self.read(namespace, &run).await? {
                    listed.insert(identity(&run), read);
                }
            }
            Event::InitDone => self.change(namespace, |runs| *runs = take(listed)),
            Event::Apply(run) => {
                if let Some(read) = self.read(namespace, &run).await? {
                    self.change(namespace, |runs| drop(runs.insert(identity(&run), read)));
                }
            }
            Event::Delete(run) => self.change(namespace, |runs| drop(runs.remove(&identity(&run)))),
        }
        Ok(())
    }

    fn change(&self, namespace: &str, how: impl FnOnce(&mut Runs)) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        how(state.runs.entry(namespace.to_owned()).or_default().get_or_insert_default());
        let all = state.runs.values().flatten().flat_map(|runs| runs.values().cloned()).collect();
        state.all = Arc::new(all);
    }

    /// What a run proved; nothing while it is under way, or where it ended without a verdict: a GO whose candidate did not stay
    /// has a report as well.
    async fn read(&self, namespace: &str, run: &DynamicObject) -> Result<Option<Arc<Run>>, kube::Error> {
        if let Some(known) = self.known(namespace, &identity(run)) {
            return Ok(Some(known));
        }
        let status = &run.data["status"];
        let (Some(_), Some(report)) = (status["verdict"].as_str(), status["report"].as_str()) else {
            return Ok(None);
        };
        let maps: Api<ConfigMap> = Api::namespaced(self.client.clone(), namespace);
        let found = answer("read a report", maps.get_opt(report)).await?;
        let packed = found.and_then(|map| map.binary_data?.remove("report.json.gz"));
        let Some(proof) = packed.and_then(|packed| unpacked(&packed.0)) else {
            tracing::warn!(namespace, report, "no report of a validator; its run proves nothing");
            return Ok(None);
        };
        let check = run.metadata.labels.as_ref().and_then(|all| all.get(RUN_OF).cloned()).unwrap_or_default();
        Ok(Some(Arc::new(Run { namespace: namespace.to_owned(), check, proof })))
    }

    fn known(&self, namespace: &str, identity: &str) -> Option<Arc<Run>> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.runs.get(namespace)?.as_ref()?.get(identity).cloned()
    }

    /// Reads the policy again and again, and never ends.
    pub(super) async fn follow_policy(&self) {
        if self.policy == GoLivePolicy::BUILT_IN {
            return std::future::pending().await;
        }
        loop {
            self.read_policy().await;
            sleep(POLICY_PERIOD).await;
        }
    }

    /// A policy that cannot be read stays as it was; one that is gone is none.
    pub(super) async fn read_policy(&self) {
        let all: Api<DynamicObject> = Api::all_with(self.client.clone(), &kinds::policies());
        let found = answer("read the policy", all.get_opt(&self.policy)).await;
        match found.map(|found| found.map(to_value).transpose()) {
            Ok(Ok(found)) => {
                let read = policies::named(&self.policy, found.as_ref()).map(Arc::new);
                self.state.write().unwrap_or_else(PoisonError::into_inner).policy = read;
            }
            Ok(Err(error)) => self.policy_unread(&error),
            Err(error) => self.policy_unread(&error),
        }
    }

    fn policy_unread(&self, error: &dyn Display) {
        self.failures.count(Read::Policy);
        tracing::warn!(%error, "the policy is not read");
    }
}

fn identity(run: &DynamicObject) -> String {
    run.metadata.uid.clone().or_else(|| run.metadata.name.clone()).unwrap_or_default()
}

fn unpacked(packed: &[u8]) -> Option<Proof> {
    let mut text = String::new();
    GzDecoder::new(packed).take(MAX_REPORT).read_to_string(&mut text).ok()?;
    let report: Report = serde_json::from_str(&text).ok()?;
    Some(Proof::of(&report))
}

/// For readiness: who knows nothing cannot answer.
pub(super) struct Learned(pub(super) Arc<Knowledge>);

impl Probe for Learned {
    async fn ping(&mut self) -> Result<(), String> {
        self.0.now().map(drop)
    }
}
