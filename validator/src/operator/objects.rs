//! What the operator reads and writes in one namespace.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Event, PersistentVolumeClaim, Pod};
use kube::api::{ListParams, LogParams};
use kube::core::DynamicObject;
use kube::core::dynamic::ApiResource;
use kube::{Api, Client, Resource};
use serde_json::{Value, from_value, json, to_value};

use super::calls::Calls;
use super::ended::{Heard, packed, without_report};
use super::event::events;
use super::job::{Parts, owned_by};
use super::kinds::{self, RUN_OF};
use super::run::Run;
use super::traces::Traces;
use super::trouble::Trouble;
use super::{Settings, begun};
use crate::config::Policy;
use crate::moment::now;

/// A connection to one namespace.
pub(super) struct Objects {
    client: Client,
    namespace: String,
    traces: Traces,
}

impl Objects {
    pub(super) fn new(client: Client, namespace: &str, traces: Traces) -> Self {
        Self { client, namespace: namespace.to_owned(), traces }
    }

    pub(super) fn traces(&self) -> &Traces {
        &self.traces
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// All runs of the namespace.
    pub(super) async fn runs(&self) -> Result<Vec<Run>, Trouble> {
        let found = self.of(&kinds::runs()).list(&ListParams::default()).await?;
        Ok(found.items.iter().map(Run::of).collect())
    }

    pub(super) async fn deployment(&self, name: &str) -> Result<Option<Value>, Trouble> {
        Ok(self.of(&erased::<Deployment>()).get_opt(name).await?.map(to_value).transpose()?)
    }

    pub(super) async fn policy(&self, name: &str) -> Result<Option<Value>, Trouble> {
        let kind = kinds::policies();
        let api = Api::all_with(self.client.clone(), &kind);
        let all = Calls { api, resource: &kind.plural, traces: &self.traces };
        Ok(all.get_opt(name).await?.map(to_value).transpose()?)
    }

    /// Whether there is a volume claim of this name.
    pub(super) async fn has_claim(&self, name: &str) -> Result<bool, Trouble> {
        Ok(self.of(&erased::<PersistentVolumeClaim>()).get_opt(name).await?.is_some())
    }

    /// A pod of a run that has not ended, if there is one: when its run was aborted, or is gone with its check, it still puts the
    /// template back, and holds the Lease of the namespace.
    pub(super) async fn unfinished(&self) -> Result<Option<String>, Trouble> {
        let of_runs = ListParams::default().labels(RUN_OF);
        let found = self.of(&erased::<Pod>()).list(&of_runs).await?;
        let is_left = |pod: &DynamicObject| {
            !matches!(pod.data["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
        };
        Ok(found.items.into_iter().find(is_left).and_then(|pod| pod.metadata.name))
    }

    /// Creates the run and what belongs to it. What is there is left as it is, so that this may end at any point and begin again;
    /// that the Job was created is noted last, since a Job that is missing after that was taken away by somebody.
    pub(super) async fn start(&self, parts: &Parts<'_>, settings: &Settings) -> Result<(), Trouble> {
        self.create(&kinds::runs(), parts.run()).await?;
        let run = to_value(self.of(&kinds::runs()).get(parts.name).await?)?;
        self.create(&erased::<ConfigMap>(), parts.given(&run)).await?;
        self.create(&erased::<Job>(), parts.job(&run, settings)).await?;
        self.end(parts.name, &json!({ "phase": "Running" })).await
    }

    /// Looks whether the Job of a run has ended, and keeps what it said; says whether it has.
    pub(super) async fn mirror(&self, name: &str, policy: &Policy) -> Result<bool, Trouble> {
        let Some(job) = self.of(&erased::<Job>()).get_opt(name).await?.map(to_value).transpose()? else {
            self.end(name, &json!({ "phase": "Ended", "message": "its Job is gone: somebody took it away" }))
                .await?;
            return Ok(true);
        };
        let conditions = job.pointer("/status/conditions").and_then(Value::as_array);
        let is_end =
            |one: &Value| one["status"] == "True" && (one["type"] == "Complete" || one["type"] == "Failed");
        if !conditions.is_some_and(|all| all.iter().any(is_end)) {
            return self.stop_unless_begun(name, &job).await;
        }
        let heard = self.heard(name).await?;
        let mut status = heard.status(policy);
        match heard.report().map(|(_, text)| packed(text)) {
            Some(Ok(report)) => {
                let kept = self.keep(name, &report).await?;
                status["report"] = json!(kept);
            }
            Some(Err(why)) => without_report(&mut status, &why),
            None => {}
        }
        self.end(name, &status).await?;
        Ok(true)
    }

    /// Ends a run whose pod should have begun by now and has not; says whether it did.
    async fn stop_unless_begun(&self, name: &str, job: &Value) -> Result<bool, Trouble> {
        if !begun::is_due(job, now()) {
            return Ok(false);
        }
        let Some(why) = begun::hindrance(&self.pods(name).await?) else { return Ok(false) };
        self.stop(name, &why).await?;
        Ok(true)
    }

    /// Ends a run, for this reason: its pod gets SIGTERM, and puts the template back.
    pub(super) async fn stop(&self, name: &str, why: &str) -> Result<(), Trouble> {
        gone(self.of(&erased::<Job>()).delete(name).await)?;
        self.end(name, &json!({ "phase": "Ended", "message": why })).await
    }

    /// Removes a run, and with it what it owns.
    pub(super) async fn forget(&self, name: &str) -> Result<(), Trouble> {
        gone(self.of(&kinds::runs()).delete(name).await)
    }

    /// Writes the status of a check if it is another one, and Events of what is another thing in it. They come first, and have their
    /// names from the status that was: whoever fails after them tells nothing twice, and forgets nothing.
    pub(super) async fn tell(&self, check: &Value, status: &Value) -> Result<(), Trouble> {
        if check["status"] == *status {
            return Ok(());
        }
        for event in events(check, status) {
            self.create(&erased::<Event>(), event).await?;
        }
        let kind = kinds::checks();
        let name = check["metadata"]["name"].as_str().unwrap_or_default();
        self.apply_status(&kind, name, status).await
    }

    async fn pods(&self, job: &str) -> Result<Vec<DynamicObject>, Trouble> {
        let of_job = ListParams::default().labels(&format!("job-name={job}"));
        Ok(self.of(&erased::<Pod>()).list(&of_job).await?.items)
    }

    /// What the pod of a Job said.
    async fn heard(&self, job: &str) -> Result<Heard, Trouble> {
        let Some(pod) = self.pods(job).await?.into_iter().next() else {
            return Ok(Heard { log: String::new(), exit: None });
        };
        let name = pod.metadata.name.clone().unwrap_or_default();
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), &self.namespace);
        let whole = LogParams::default();
        let log = match self.traces.call("log", "pods", pods.logs(&name, &whole)).await {
            // A pod that was evicted has none, and never will.
            Err(kube::Error::Api(status)) if matches!(status.code, 400 | 404) => String::new(),
            other => other?,
        };
        let pod = to_value(pod)?;
        let exit =
            pod.pointer("/status/containerStatuses/0/state/terminated/exitCode").and_then(Value::as_i64);
        Ok(Heard { log, exit })
    }

    /// Keeps a report, packed, in a ConfigMap of the run; gives its name.
    async fn keep(&self, run: &str, packed: &str) -> Result<String, Trouble> {
        let owner = to_value(self.of(&kinds::runs()).get(run).await?)?;
        let name = format!("{run}-report");
        let labels = json!({ RUN_OF: owner["spec"]["check"] });
        let map = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {
                "name": name, "namespace": self.namespace, "labels": labels, "ownerReferences": [owned_by(&owner)]
            },
            "binaryData": { "report.json.gz": packed }, "immutable": true
        });
        self.create(&erased::<ConfigMap>(), map).await?;
        Ok(name)
    }

    async fn end(&self, run: &str, status: &Value) -> Result<(), Trouble> {
        self.apply_status(&kinds::runs(), run, status).await
    }

    async fn apply_status(&self, kind: &ApiResource, name: &str, status: &Value) -> Result<(), Trouble> {
        let body = json!({
            "apiVersion": kind.api_version, "kind": kind.kind, "metadata": { "name": name }, "status": status
        });
        // Whoever was deleted meanwhile needs no status.
        gone(self.of(kind).apply_status(name, &body).await)
    }

    /// Creates what is not there.
    async fn create(&self, kind: &ApiResource, object: Value) -> Result<(), Trouble> {
        let object: DynamicObject = from_value(object)?;
        match self.of(kind).create(&object).await {
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
            other => Ok(other.map(drop)?),
        }
    }

    fn of<'k>(&'k self, kind: &'k ApiResource) -> Calls<'k> {
        let api = Api::namespaced_with(self.client.clone(), &self.namespace, kind);
        Calls { api, resource: &kind.plural, traces: &self.traces }
    }
}

fn erased<K: Resource<DynamicType = ()>>() -> ApiResource {
    ApiResource::erase::<K>(&())
}

/// What is not there needs nothing more.
fn gone<T>(done: Result<T, kube::Error>) -> Result<(), Trouble> {
    match done {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => Ok(other.map(drop)?),
    }
}
