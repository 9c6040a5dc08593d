//! Raw watches: list, then watch from that resourceVersion, every event recorded as it comes.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, pin_mut};
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::{Api, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::api_server::answer;
use crate::config::without_query;
use crate::evidence::{Change, Fact, Gap, Millis, ObjectFact, ObjectKind};
use crate::moment::now;

/// Pause before a broken watch is tried again.
const RETRY: Duration = Duration::from_millis(500);

/// How long a list may take.
const LIST: Duration = Duration::from_secs(20);

/// The API server sends a bookmark about once a minute: a watch that says nothing for longer is dead.
const SILENCE: Duration = Duration::from_secs(100);

/// One kind of object, and which ones.
#[derive(Clone)]
pub(super) struct Watched<K> {
    pub(super) api: Api<K>,
    pub(super) kind: ObjectKind,
    pub(super) labels: Option<String>,
    pub(super) name: Option<String>,
}

enum Broken {
    /// The server ended the watch in good order: it goes on from the last version.
    Ended,
    /// What happened in between is lost: list again.
    Lost(String),
}

impl<K> Watched<K>
where
    K: Resource + Clone + DeserializeOwned + Serialize + Debug + Send + 'static,
    K::DynamicType: Default,
{
    /// Follows the objects until the receiver is gone. `listed` gets a permit for the first list.
    pub(super) async fn follow(self, facts: mpsc::Sender<Fact>, listed: Arc<Semaphore>) {
        let mut whole_until: Option<Millis> = None;
        loop {
            let Ok(Ok(version)) = timeout(LIST, self.list(&facts)).await else {
                tokio::time::sleep(RETRY).await;
                continue;
            };
            match whole_until {
                None => listed.add_permits(1),
                Some(since) => self.gap(&facts, since, "listed again".into()).await,
            }
            let Some(lost) = self.stream(version, &facts, &mut whole_until).await else {
                return;
            };
            // Told at once: the run may end before the next list.
            self.gap(&facts, whole_until.unwrap_or_else(now), lost).await;
            tokio::time::sleep(RETRY).await;
        }
    }

    async fn gap(&self, facts: &mpsc::Sender<Fact>, since: Millis, reason: String) {
        let gap = Gap { at: now(), since, kind: self.kind, reason };
        facts.send(Fact::Gap(gap)).await.ok(); // a gone receiver shows at the next step
    }

    async fn list(&self, facts: &mpsc::Sender<Fact>) -> Result<String, String> {
        let params = ListParams {
            label_selector: self.labels.clone(),
            field_selector: self.field_selector(),
            ..ListParams::default()
        };
        let list = self.api.list(&params).await.map_err(|e| e.to_string())?;
        for object in &list {
            self.send(facts, Change::Listed, object).await.ok(); // a gone receiver shows at the next step
        }
        list.metadata.resource_version.ok_or_else(|| "the list has no resourceVersion".into())
    }

    /// Streams until the chain of versions breaks (the reason) or the receiver is gone (nothing).
    async fn stream(
        &self,
        mut version: String,
        facts: &mpsc::Sender<Fact>,
        whole_until: &mut Option<Millis>,
    ) -> Option<String> {
        loop {
            *whole_until = Some(now());
            match self.stream_once(&mut version, facts, whole_until).await? {
                Broken::Ended => {}
                Broken::Lost(reason) => return Some(reason),
            }
        }
    }

    async fn stream_once(
        &self,
        version: &mut String,
        facts: &mpsc::Sender<Fact>,
        whole_until: &mut Option<Millis>,
    ) -> Option<Broken> {
        let doing = format!("watch {}", self.kind.plural());
        let events = match answer(&doing, self.api.watch(&self.watch_params(), version)).await {
            Ok(events) => events,
            Err(error) => return Some(Broken::Lost(error.to_string())),
        };
        pin_mut!(events);
        loop {
            let event = tokio::select! {
                event = timeout(SILENCE, events.next()) => event,
                () = facts.closed() => return None,
            };
            let Ok(event) = event else {
                return Some(Broken::Lost(format!("no word for {} s", SILENCE.as_secs())));
            };
            *whole_until = Some(now());
            match told(event) {
                Err(broken) => return Some(broken),
                Ok(Told { version: seen, change }) => {
                    if let Some(seen) = seen {
                        *version = seen;
                    }
                    if let Some((change, object)) = change {
                        self.send(facts, change, &object).await.ok()?;
                    }
                }
            }
        }
    }

    fn watch_params(&self) -> WatchParams {
        WatchParams {
            bookmarks: true,
            timeout: Some(240),
            label_selector: self.labels.clone(),
            field_selector: self.field_selector(),
            ..WatchParams::default()
        }
    }

    fn field_selector(&self) -> Option<String> {
        self.name.as_ref().map(|name| format!("metadata.name={name}"))
    }

    async fn send(&self, facts: &mpsc::Sender<Fact>, change: Change, object: &K) -> Result<(), ()> {
        let fact = ObjectFact { at: now(), kind: self.kind, change, object: redacted(object) };
        facts.send(Fact::Object(fact)).await.map_err(drop)
    }
}

/// What one event of a watch tells; a bookmark has a version and nothing else.
struct Told<K> {
    version: Option<String>,
    change: Option<(Change, K)>,
}

fn told<K: ResourceExt>(event: Option<kube::Result<WatchEvent<K>>>) -> Result<Told<K>, Broken> {
    let (change, object) = match event {
        None => return Err(Broken::Ended),
        Some(Err(error)) => return Err(Broken::Lost(error.to_string())),
        Some(Ok(WatchEvent::Error(status))) => return Err(Broken::Lost(status.message.clone())),
        Some(Ok(WatchEvent::Bookmark(bookmark))) => {
            return Ok(Told { version: Some(bookmark.metadata.resource_version), change: None });
        }
        Some(Ok(WatchEvent::Added(object))) => (Change::Added, object),
        Some(Ok(WatchEvent::Modified(object))) => (Change::Modified, object),
        Some(Ok(WatchEvent::Deleted(object))) => (Change::Deleted, object),
    };
    Ok(Told { version: object.resource_version(), change: Some((change, object)) })
}

/// The object as JSON, without what may hold secrets (values of environment variables, arguments,
/// annotations of clients, what a container said last) and without the bookkeeping of field managers.
pub(super) fn redacted<K: Serialize>(object: &K) -> Value {
    let mut value = serde_json::to_value(object).unwrap_or(Value::Null);
    redact(&mut value);
    value
}

fn redact(value: &mut Value) {
    match value {
        Value::Object(map) => {
            redact_fields(map);
            map.values_mut().for_each(redact);
        }
        Value::Array(items) => items.iter_mut().for_each(redact),
        _ => {}
    }
}

fn redact_fields(map: &mut Map<String, Value>) {
    map.remove("managedFields");
    if let Some(Value::Object(annotations)) = map.get_mut("annotations") {
        annotations
            .retain(|key, _| key.starts_with("deployment.kubernetes.io/") || key.starts_with("golive.dev/"));
    }
    for key in ["args", "command"] {
        if map.get(key).is_some_and(Value::is_array) {
            map.insert(key.to_owned(), Value::from(["(removed)"].as_slice()));
        }
    }
    for key in ["env", "httpHeaders"] {
        items(map, key).for_each(|pair| drop(pair.remove("value")));
    }
    // The query of a probe or a hook may hold a token.
    if let Some(Value::String(path)) = map.get_mut("httpGet").and_then(|get| get.get_mut("path")) {
        path.truncate(without_query(path).len());
    }
    // The message of a container that ended is the end of its log (terminationMessagePolicy), and the runtime's message
    // may quote a command line; the reason says enough.
    for key in ["containerStatuses", "initContainerStatuses", "ephemeralContainerStatuses"] {
        items(map, key).for_each(without_messages);
    }
}

fn without_messages(status: &mut Map<String, Value>) {
    for key in ["state", "lastState"] {
        let states = status.get_mut(key).and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut);
        for state in states.filter_map(Value::as_object_mut) {
            state.remove("message");
        }
    }
}

/// The objects of a list.
fn items<'m>(map: &'m mut Map<String, Value>, key: &str) -> impl Iterator<Item = &'m mut Map<String, Value>> {
    let list = map.get_mut(key).and_then(Value::as_array_mut);
    list.into_iter().flatten().filter_map(Value::as_object_mut)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use k8s_openapi::api::core::v1::Pod;
    use kube::Api;
    use serde_json::json;
    use tokio::sync::{Semaphore, mpsc};

    use super::{Watched, redact};
    use crate::cluster::fake::Fake;
    use crate::evidence::{Fact, ObjectKind};

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_is_never_opened_is_a_gap() {
        let api: Api<Pod> = Api::namespaced(Fake::silent_to_watches(), "demo");
        let watched = Watched { api, kind: ObjectKind::Pod, labels: None, name: None };
        let (sender, mut facts) = mpsc::channel(9);
        tokio::spawn(watched.follow(sender, Arc::new(Semaphore::new(0))));
        let Some(Fact::Gap(gap)) = facts.recv().await else { panic!("nothing else happens") };
        let wanted = "could not watch Pods: the API server did not answer within 30 s";
        assert!(gap.kind == ObjectKind::Pod && gap.reason.contains(wanted), "{}", gap.reason);
    }

    #[test]
    fn secrets_in_a_pod_template_never_reach_the_evidence() {
        let mut object = json!({
            "metadata": { "annotations": { "kubectl.kubernetes.io/last-applied-configuration": "s3cret" } },
            "spec": { "containers": [{
                "args": ["--password=s3cret"], "command": ["sh", "-c", "s3cret"],
                "env": [{ "name": "DATABASE_URL", "value": "postgres://u:s3cret@db" }],
                "readinessProbe": { "httpGet": { "path": "/ready?token=s3cret", "port": 80 } }
            }] }
        });
        redact(&mut object);
        let text = object.to_string();
        assert!(!text.contains("s3cret"), "{text}");
        assert!(text.contains("DATABASE_URL") && text.contains("\"/ready\""), "{text}");
    }

    #[test]
    fn what_a_container_said_last_never_reaches_the_evidence() {
        let terminated = |reason: &str| json!({ "terminated": { "reason": reason, "exitCode": 1, "message": "postgres://u:s3cret@db" } });
        let waiting = json!({ "waiting": { "reason": "CreateContainerError", "message": "exec: s3cret" } });
        let mut object = json!({ "status": {
            "containerStatuses": [
                { "name": "a", "state": waiting, "lastState": terminated("Error") },
                { "name": "b", "state": terminated("OOMKilled"), "lastState": {} },
            ],
            "initContainerStatuses": [{ "name": "i", "state": terminated("Error") }],
            "ephemeralContainerStatuses": [{ "name": "e", "lastState": terminated("Error") }],
        } });
        redact(&mut object);
        let text = object.to_string();
        assert!(!text.contains("s3cret"), "{text}");
        assert!(
            text.contains("OOMKilled") && text.contains("CreateContainerError") && text.contains("exitCode")
        );
    }
}
