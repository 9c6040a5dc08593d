//! An API server of a test: keeps objects by path, checks JSON Patches, and refuses what a test wants refused.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use kube::{Client, Config};
use serde_json::{Value, json};

use super::Cluster;

/// Shared with the server; every method holds the lock for one look.
#[derive(Clone, Default)]
pub(super) struct Fake {
    state: Arc<Mutex<Kept>>,
}

#[derive(Default)]
struct Kept {
    /// By path, as in `/api/v1/namespaces/demo/services/redis`.
    objects: BTreeMap<String, Value>,
    version: u64,
    /// How often a patch of a path is still refused.
    refused: BTreeMap<String, u32>,
}

impl Fake {
    /// A server, and a connection to its namespace `demo`.
    pub(super) async fn start() -> (Self, Cluster) {
        let fake = Self::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(fake.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let config = Config::new(format!("http://{address}").parse().unwrap());
        let client = Client::try_from(config).unwrap();
        (fake, Cluster { client, namespace: "demo".into(), context: "it".into() })
    }

    pub(super) fn put(&self, path: &str, object: Value) {
        self.state.lock().unwrap().keep(path, object);
    }

    pub(super) fn get(&self, path: &str) -> Option<Value> {
        self.state.lock().unwrap().objects.get(path).cloned()
    }

    pub(super) fn remove(&self, path: &str) {
        self.state.lock().unwrap().objects.remove(path);
    }

    /// Every object that is left, by path.
    pub(super) fn paths(&self) -> Vec<String> {
        self.state.lock().unwrap().objects.keys().cloned().collect()
    }

    /// Refuses the next patches of one object.
    pub(super) fn refuse(&self, path: &str, times: u32) {
        self.state.lock().unwrap().refused.insert(path.to_owned(), times);
    }
}

impl Kept {
    fn keep(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(path.to_owned(), object.clone());
        object
    }

    fn create(&mut self, collection: &str, object: Value) -> Response {
        let path = format!("{collection}/{}", object["metadata"]["name"].as_str().unwrap());
        if self.objects.contains_key(&path) {
            return refusal(StatusCode::CONFLICT);
        }
        Json(self.keep(&path, object)).into_response()
    }

    fn patch(&mut self, path: &str, body: &[u8]) -> Response {
        if let Some(left) = self.refused.get_mut(path).filter(|left| **left > 0) {
            *left -= 1;
            return refusal(StatusCode::INTERNAL_SERVER_ERROR);
        }
        let Some(mut object) = self.objects.get(path).cloned() else { return refusal(StatusCode::NOT_FOUND) };
        let operations: json_patch::Patch = serde_json::from_slice(body).unwrap();
        if json_patch::patch(&mut object, &operations).is_err() {
            return refusal(StatusCode::UNPROCESSABLE_ENTITY);
        }
        Json(self.keep(path, object)).into_response()
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
    fn read(&self, path: &str, query: &str) -> Response {
        if let Some(object) = self.objects.get(path) {
            return Json(object.clone()).into_response();
        }
        let last = path.rsplit('/').next().unwrap_or_default();
        if !PLURALS.contains(&last) {
            return refusal(StatusCode::NOT_FOUND);
        }
        let under = format!("{path}/");
        let within = self.objects.iter().filter(|(path, _)| path.starts_with(&under));
        let items: Vec<&Value> =
            within.map(|(_, object)| object).filter(|object| matches(query, object)).collect();
        Json(json!({ "metadata": { "resourceVersion": "1" }, "items": items })).into_response()
    }
}

const PLURALS: &[&str] =
    &["services", "pods", "deployments", "replicasets", "leases", "roles", "rolebindings", "serviceaccounts"];

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
    let body = axum::body::to_bytes(request.into_body(), usize::MAX).await.unwrap();
    let mut state = fake.state.lock().unwrap();
    match method {
        Method::POST => state.create(&path, serde_json::from_slice(&body).unwrap()),
        Method::PATCH => state.patch(&path, &body),
        Method::DELETE => state.delete(&path, &body),
        _ => state.read(&path, &query),
    }
}

fn refusal(status: StatusCode) -> Response {
    let reason = status.canonical_reason().unwrap_or_default();
    let (code, reason) = (status.as_u16(), reason.replace(' ', ""));
    let body = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "message": reason, "reason": reason, "code": code });
    (status, Json(body)).into_response()
}
