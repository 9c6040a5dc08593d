//! What happens in a cluster by itself: pods start, those of the target follow its template, and our agents answer.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Json, Response};
use serde_json::{Value, json};

use super::{Fake, Kept, StatusCode, refusal};
use crate::cluster::Cluster;
use crate::cluster::rolled::Rolled;
use crate::load::AGENT_PORT;
use crate::middle::{MIDDLE_PORT, MiddleStatus, PodNow};

const CORE: &str = "/api/v1/namespaces/demo";

impl Fake {
    /// Lets things happen, and answers for the agents.
    pub(crate) async fn live(&self, cluster: &mut Cluster) {
        self.state.lock().unwrap().lives = true;
        self.state.lock().unwrap().rolled();
        let agents = [(AGENT_PORT, self.agent("load").await), (MIDDLE_PORT, self.agent("middle").await)];
        cluster.sockets = BTreeMap::from(agents);
    }

    /// Keeps pods that are led to agents from them: they do not become ready.
    pub(crate) fn keep_out(&self) {
        self.state.lock().unwrap().blocked = true;
    }

    async fn agent(&self, kind: &'static str) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state((self.clone(), kind));
        tokio::spawn(async move { axum::serve(listener, router).await });
        address
    }
}

async fn answer(State((fake, kind)): State<(Fake, &'static str)>, request: Request) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let mut state = fake.state.lock().unwrap();
    if path == "/status" {
        return Json(state.status(kind)).into_response();
    }
    if state.hear(format!("{kind} {method} {path}")) {
        return refusal(StatusCode::INTERNAL_SERVER_ERROR);
    }
    if kind == "load" && path == "/evidence" {
        answered().into_response()
    } else {
        String::new().into_response()
    }
}

/// A second in which all was well.
fn answered() -> String {
    json!({
        "fact": "second", "at": 0, "agent": "a", "node": "n", "class": "new", "due": 9, "on_time": 9, "lost": 0,
        "outcomes": [[{ "answered": 200 }, 9]], "open": 0, "times": vec![0; 18],
    })
    .to_string()
}

impl Kept {
    /// Every pod of the target calls its dependencies all the time.
    fn status(&mut self, kind: &str) -> Value {
        let now_ms = crate::moment::now_ms();
        if kind == "load" {
            return json!({ "now_ms": now_ms, "running": true });
        }
        self.version += 20;
        let seen = PodNow { calls: self.version, open: 8, most_open: 8, ..PodNow::default() };
        let now = if self.blocked { PodNow::default() } else { seen };
        let names = self.objects.keys().filter_map(|path| path.strip_prefix(&format!("{CORE}/pods/")));
        let pods = names.map(|name| (name.to_owned(), now.clone())).collect();
        json!(MiddleStatus { now_ms, instance: 1, reached: true, pods, ..MiddleStatus::default() })
    }

    /// A pod runs, a Service has an address and an endpoint, a Deployment has a pod.
    pub(super) fn created(&mut self, path: &str) -> Value {
        let mut object = self.objects[path].clone();
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        if path.contains("/pods/") {
            object["status"] = running("10.1.0.1");
        } else if path.contains("/services/") {
            object["spec"]["clusterIP"] = json!("10.96.0.7");
            let labels = json!({ "kubernetes.io/service-name": name });
            let endpoint = json!({ "addresses": ["10.1.0.9"], "conditions": { "ready": true } });
            let slice = json!({
                "metadata": { "name": name, "labels": labels }, "addressType": "IPv4", "endpoints": [endpoint], "ports": [],
            });
            self.keep(&format!("/apis/discovery.k8s.io/v1/namespaces/demo/endpointslices/{name}"), slice);
        } else if path.contains("/deployments/") {
            let template = &object["spec"]["template"];
            let metadata = json!({ "name": format!("{name}-0"), "labels": template["metadata"]["labels"] });
            let pod =
                json!({ "metadata": metadata, "spec": template["spec"], "status": running("10.1.0.9") });
            self.keep(&format!("{CORE}/pods/{name}-0"), pod);
        }
        self.keep(path, object)
    }

    /// The target has one pod, of its present template, and is at rest.
    pub(super) fn rolled(&mut self) {
        let mut target = self.objects[Rolled::PATH].clone();
        let generation = target["metadata"]["generation"].as_i64().unwrap();
        self.objects.retain(|path, _| !path.starts_with(&format!("{CORE}/pods/users-")));
        let name = format!("users-{generation}");
        let mut status = running("10.1.0.2");
        let template = target["spec"]["template"].clone();
        let ready = !(self.blocked && template["spec"].get("hostAliases").is_some());
        let text = if ready { "True" } else { "False" };
        status["conditions"] = json!([{ "type": "Ready", "status": text }]);
        let mut labels = template["metadata"]["labels"].clone();
        labels["pod-template-hash"] = json!(generation.to_string());
        let owner = json!({ "kind": "ReplicaSet", "name": name, "uid": "s", "controller": true });
        let metadata = json!({ "name": name, "uid": name, "labels": labels, "ownerReferences": [owner] });
        self.keep(
            &format!("{CORE}/pods/{name}"),
            json!({ "metadata": metadata, "spec": template["spec"], "status": status }),
        );
        target["status"] = json!({
            "observedGeneration": generation, "replicas": 1, "updatedReplicas": 1, "availableReplicas": u32::from(ready),
            "conditions": [{ "type": "Progressing", "status": text, "reason": "ProgressDeadlineExceeded" }],
        });
        self.keep(Rolled::PATH, target);
    }
}

fn running(ip: &str) -> Value {
    let state = json!({ "name": "c", "ready": true, "restartCount": 0, "image": "", "imageID": "", "state": { "running": {} } });
    json!({ "phase": "Running", "podIP": ip, "containerStatuses": [state] })
}
