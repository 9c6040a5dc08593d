//! An API server of a test: keeps objects by path, checks JSON Patches, and refuses what a test wants refused.

mod world;

use std::collections::BTreeMap;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use kube::{Client, Config};
use serde_json::{Value, json};

use super::Cluster;

/// The deployment that tests roll: what is steered while it leads to agents is told apart.
pub(crate) const TARGET: &str = "/apis/apps/v1/namespaces/demo/deployments/users";

/// Shared with the server; every method holds the lock for one look.
#[derive(Clone, Default)]
pub(crate) struct Fake {
    state: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    /// By path, as in `/api/v1/namespaces/demo/services/redis`.
    objects: BTreeMap<String, Value>,
    version: u64,
    /// What containers have said, by the path of their logs.
    logs: BTreeMap<String, String>,
    /// How often a patch of an object, or a list of a path, is still refused.
    refused: BTreeMap<String, u32>,
    /// What was laid on an object by server-side apply, by its path.
    applied: BTreeMap<String, Value>,
    /// Every request that steers something.
    heard: Vec<Heard>,
    /// The number of the one that fails.
    failing: Option<usize>,
    /// Whether things happen in the cluster by themselves.
    lives: bool,
    /// Whether something keeps pods from the agents that they are led to.
    blocked: bool,
}

/// A request that steers something, to the API server or to one of our agents.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// As in `PATCH /apis/apps/v1/namespaces/demo/deployments/users`, or `load GET /evidence`.
    pub(crate) what: String,
    /// Whether the target's template led to agents when it came.
    pub(crate) led: bool,
    /// Whether it was failed.
    pub(crate) failed: bool,
}

impl Fake {
    /// A server, and a connection to its namespace `demo`.
    pub(crate) async fn start() -> (Self, Cluster) {
        let (fake, client) = Self::client().await;
        (fake, Cluster::over(client, "demo", "it".into()))
    }

    /// A server, and a client of it.
    pub(crate) async fn client() -> (Self, Client) {
        let fake = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let config = Config::new(format!("http://{address}").parse().unwrap());
        (fake, Client::try_from(config).unwrap())
    }

    /// A client of a server that never answers. No socket stands behind it: a paused clock goes on at once.
    pub(crate) fn silent() -> Client {
        let never = async || pending::<StatusCode>().await;
        Client::new(Router::new().fallback(never), "demo")
    }

    /// The same, but that it answers whoever lists: there is nothing.
    pub(crate) fn silent_to_watches() -> Client {
        let answer = async |request: Request| {
            if request.uri().query().is_some_and(|query| query.contains("watch=")) {
                pending().await
            }
            Json(json!({ "metadata": { "resourceVersion": "1" }, "items": [] }))
        };
        Client::new(Router::new().fallback(answer), "demo")
    }

    /// What a container has said, as the path of its log.
    pub(crate) fn say(&self, path: &str, text: &str) {
        self.state.lock().unwrap().logs.insert(path.to_owned(), text.to_owned());
    }

    pub(crate) fn put(&self, path: &str, object: Value) {
        self.state.lock().unwrap().keep(path, object);
    }

    pub(crate) fn get(&self, path: &str) -> Option<Value> {
        self.state.lock().unwrap().objects.get(path).cloned()
    }

    pub(crate) fn remove(&self, path: &str) {
        self.state.lock().unwrap().objects.remove(path);
    }

    /// Every object that is left, by path.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.state.lock().unwrap().objects.keys().cloned().collect()
    }

    /// Every request that steered something until now.
    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.state.lock().unwrap().heard.clone()
    }

    /// Fails the request of this number.
    pub(crate) fn fail(&self, number: usize) {
        self.state.lock().unwrap().failing = Some(number);
    }

    /// Refuses the next patches of one object, or the next lists under a path.
    pub(crate) fn refuse(&self, path: &str, times: u32) {
        self.state.lock().unwrap().refused.insert(path.to_owned(), times);
    }
}

impl Kept {
    /// Notes a request that steers something; says whether it is to fail.
    fn hear(&mut self, what: String) -> bool {
        let target = self.objects.get(TARGET).map(Value::to_string);
        let led = target.is_some_and(|target| target.contains("agent.golive.invalid"));
        let failed = self.failing == Some(self.heard.len());
        self.heard.push(Heard { what, led, failed });
        failed
    }

    fn keep(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(path.to_owned(), object.clone());
        object
    }

    fn create(&mut self, collection: &str, mut object: Value) -> Response {
        if collection.starts_with("/apis/golive.dev/") {
            let at = jiff::Timestamp::from_second(self.version as i64).unwrap().to_string();
            object["metadata"]["uid"] = json!(format!("uid-{}", self.version));
            object["metadata"]["creationTimestamp"] = json!(at);
        }
        let path = format!("{collection}/{}", object["metadata"]["name"].as_str().unwrap());
        if self.objects.contains_key(&path) {
            return refusal(StatusCode::CONFLICT);
        }
        let created = self.keep(&path, object);
        let created = if self.lives { self.created(&path) } else { created };
        Json(created).into_response()
    }

    fn refuses(&mut self, path: &str) -> bool {
        let left = self.refused.get_mut(path).filter(|left| **left > 0);
        left.map(|left| *left -= 1).is_some()
    }

    fn patch(&mut self, path: &str, body: &[u8], is_apply: bool) -> Response {
        let path = path.strip_suffix("/status").unwrap_or(path);
        if self.refuses(path) {
            return refusal(StatusCode::INTERNAL_SERVER_ERROR);
        }
        let Some(mut object) = self.objects.get(path).cloned() else { return refusal(StatusCode::NOT_FOUND) };
        let before = object["spec"].clone();
        if is_apply {
            let fields: Value = serde_json::from_slice(body).unwrap();
            let last = self.applied.insert(path.to_owned(), fields.clone());
            take_off(&mut object, &last.unwrap_or_default(), &fields);
            lay_on(&mut object, &fields);
        } else {
            let operations: json_patch::Patch = serde_json::from_slice(body).unwrap();
            if json_patch::patch(&mut object, &operations).is_err() {
                return refusal(StatusCode::UNPROCESSABLE_ENTITY);
            }
        }
        let is_rolled = object["spec"] != before;
        if is_rolled {
            let generation = object["metadata"]["generation"].as_i64().unwrap_or_default();
            object["metadata"]["generation"] = json!(generation + 1);
        }
        if object["spec"]["template"] != before["template"] {
            raise(&mut object);
        }
        let patched = self.keep(path, object);
        if self.lives && is_rolled && path == TARGET {
            self.rolled();
        }
        Json(patched).into_response()
    }

    fn delete(&mut self, path: &str, body: &[u8]) -> Response {
        let wanted = serde_json::from_slice::<Value>(body).unwrap_or_default();
        let wanted = wanted.pointer("/preconditions/resourceVersion").cloned();
        let Some(object) = self.objects.get(path) else { return refusal(StatusCode::NOT_FOUND) };
        if wanted.is_some_and(|version| object["metadata"]["resourceVersion"] != version) {
            return refusal(StatusCode::CONFLICT);
        }
        self.objects.remove(path);
        Json(json!({ "kind": "Status", "apiVersion": "v1", "status": "Success" })).into_response()
    }

    /// One object, or a list of those under the path that carry the labels.
    fn read(&mut self, path: &str, query: &str) -> Response {
        if let Some(object) = self.objects.get(path) {
            return Json(object.clone()).into_response();
        }
        if let Some(text) = self.logs.get(path) {
            return text.clone().into_response();
        }
        let last = path.rsplit('/').next().unwrap_or_default();
        if !PLURALS.contains(&last) {
            return refusal(StatusCode::NOT_FOUND);
        }
        if self.refuses(path) {
            return refusal(StatusCode::INTERNAL_SERVER_ERROR);
        }
        let under = format!("{path}/");
        let within = self.objects.iter().filter(|(path, _)| path.starts_with(&under));
        let items: Vec<&Value> =
            within.map(|(_, object)| object).filter(|object| matches(query, object)).collect();
        Json(json!({ "metadata": { "resourceVersion": "1" }, "items": items })).into_response()
    }
}

/// Counts the template up as the deployment controller does: also one that was there before is a new revision.
fn raise(deployment: &mut Value) {
    let path = "/metadata/annotations/deployment.kubernetes.io~1revision";
    let last = deployment.pointer(path).and_then(|last| last.as_str()?.parse::<u64>().ok());
    if let Some((last, revision)) = last.zip(deployment.pointer_mut(path)) {
        *revision = json!((last + 1).to_string());
    }
}

const PLURALS: &[&str] = &[
    "services",
    "pods",
    "deployments",
    "replicasets",
    "leases",
    "roles",
    "rolebindings",
    "rollouts",
    "serviceaccounts",
    "endpointslices",
    "goliveruns",
    "poddisruptionbudgets",
];

/// The member that tells the items of a list apart, as the API declares it for the lists that we apply.
fn key_of(item: &Value) -> Option<(&'static str, &Value)> {
    ["name", "ip"].into_iter().find_map(|key| Some((key, item.get(key)?)))
}

fn same<'v>(list: &'v mut [Value], item: &Value) -> Option<&'v mut Value> {
    list.iter_mut().find(|other| key_of(other) == key_of(item))
}

/// Merges what is applied into an object (Kubernetes: server-side apply).
fn lay_on(object: &mut Value, fields: &Value) {
    match (object, fields) {
        (Value::Object(object), Value::Object(fields)) => {
            for (name, value) in fields {
                lay_on(object.entry(name).or_insert(Value::Null), value);
            }
        }
        (Value::Array(list), Value::Array(items)) if items.iter().all(|item| key_of(item).is_some()) => {
            for item in items {
                match same(list, item) {
                    Some(present) => lay_on(present, item),
                    None => list.push(item.clone()),
                }
            }
        }
        (object, fields) => *object = fields.clone(),
    }
}

/// Takes off what was applied before and is not any more.
fn take_off(object: &mut Value, last: &Value, fields: &Value) {
    match (object, last) {
        (Value::Object(object), Value::Object(last)) => {
            for (name, value) in last {
                match fields.get(name) {
                    None if value.is_object() || value.is_array() => {
                        if let Some(inner) = object.get_mut(name) {
                            take_off(inner, value, &Value::Null);
                        }
                        if object.get(name).is_some_and(|left| *left == json!([])) {
                            object.remove(name);
                        }
                    }
                    None => drop(object.remove(name)),
                    Some(kept) => {
                        if let Some(inner) = object.get_mut(name) {
                            take_off(inner, value, kept);
                        }
                    }
                }
            }
        }
        (Value::Array(list), Value::Array(last)) => {
            let kept = fields.as_array().cloned().unwrap_or_default();
            list.retain(|item| {
                let is_in = |items: &[Value]| items.iter().any(|other| key_of(other) == key_of(item));
                !is_in(last) || is_in(&kept)
            });
        }
        _ => {}
    }
}

/// Knows `key` and `key=value`, which is what this program asks for.
fn matches(query: &str, object: &Value) -> bool {
    let query = query.replace("%2F", "/").replace("%3D", "=").replace("%2C", ",");
    let selector = query.split('&').find_map(|pair| pair.strip_prefix("labelSelector=")).unwrap_or_default();
    selector.split(',').filter(|term| !term.is_empty()).all(|term| {
        let (key, value) = term.split_once('=').map_or((term, None), |(key, value)| (key, Some(value)));
        let label = object["metadata"]["labels"][key].as_str();
        value.map_or(label.is_some(), |value| label == Some(value))
    })
}

async fn answer(State(fake): State<Fake>, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let query = request.uri().query().unwrap_or_default().to_owned();
    let content_type = request.headers().get(http::header::CONTENT_TYPE).cloned();
    let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
    let is_apply = content_type.is_some_and(|kind| kind.as_bytes().starts_with(b"application/apply-patch"));
    let mut state = fake.state.lock().unwrap();
    if state.lives && query.contains("watch=") {
        return refusal(StatusCode::GONE); // it is listed again
    }
    let steers = method != Method::GET || path.ends_with("/deployments/users");
    if steers && state.hear(format!("{method} {path}")) {
        return refusal(StatusCode::INTERNAL_SERVER_ERROR);
    }
    match method {
        Method::POST => state.create(&path, created_by(&query, serde_json::from_slice(&body).unwrap())),
        Method::PATCH => state.patch(&path, &body, is_apply),
        Method::DELETE => state.delete(&path, &body),
        _ => state.read(&path, &query),
    }
}

/// Notes who created an object, if he said so.
fn created_by(query: &str, mut object: Value) -> Value {
    if let Some(manager) = query.split('&').find_map(|pair| pair.strip_prefix("fieldManager=")) {
        object["metadata"]["managedFields"] = json!([{ "manager": manager }]);
    }
    object
}

fn refusal(status: StatusCode) -> Response {
    let reason = status.canonical_reason().unwrap_or_default();
    let (code, reason) = (status.as_u16(), reason.replace(' ', ""));
    let body = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": reason, "reason": reason, "code": code });
    (status, Json(body)).into_response()
}
