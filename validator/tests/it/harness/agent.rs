use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use golive_validator::config::Protocol;
use golive_validator::evidence::{CallFact, Fact, Failure, Fault, FaultFact};
use golive_validator::middle::{Agent, HostPort, Limits, MiddlePlan, MiddleStatus, PodNow, serve};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// The pod at 127.0.0.1, from where every client of a test comes unless it says otherwise.
pub(crate) const POD: &str = "users-1";

/// Every call fails like this.
pub(crate) fn failing(with: Failure) -> Fault {
    Fault::Fail { with, share_percent: 100 }
}

/// An agent before one dependency, as the validator sees it: through its API.
pub(crate) struct Before {
    /// Where clients find the dependency.
    pub(crate) address: SocketAddr,
    api: SocketAddr,
    orders: AtomicU64,
}

/// Nothing happens by itself within a test.
pub(crate) fn limits() -> Limits {
    let long = Duration::from_mins(1);
    Limits { fail_open: long }
}

impl Before {
    /// An agent whose target is [`POD`].
    pub(crate) async fn new(protocol: Protocol, upstream: u16, limits: Limits) -> Self {
        let plan = MiddlePlan { dependency: "it".into(), protocol, trace_prefix: "0123abcd".into() };
        let agent = Agent::start(plan, limits);
        let (clients, api) = (listener().await, listener().await);
        let before = Self {
            address: clients.local_addr().unwrap(),
            api: api.local_addr().unwrap(),
            orders: AtomicU64::new(1),
        };
        tokio::spawn(serve(Arc::clone(&agent), api));
        tokio::spawn(agent.accept(clients, HostPort { host: "localhost".into(), port: upstream }, None));
        before.put("/targets", &json!({ "127.0.0.1": POD })).await;
        before
    }

    /// Orders one fault in place of all there were.
    pub(crate) async fn fault(&self, fault: Fault, length: Duration) {
        let answer = self.put("/faults", &self.order(&fault, length)).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    /// Orders word for word.
    pub(crate) async fn orders(&self, orders: &Value) {
        self.put("/faults", orders).await;
    }

    /// What the agent says to a fault that its protocol does not know.
    pub(crate) async fn refusal(&self, fault: Fault) -> String {
        self.put("/faults", &self.order(&fault, Duration::from_secs(1))).await
    }

    fn order(&self, fault: &Fault, length: Duration) -> Value {
        let id = self.orders.fetch_add(1, Ordering::Relaxed);
        json!([{ "id": id, "pod": POD, "fault": fault, "for_ms": length.as_millis() as u64 }])
    }

    pub(crate) async fn clear(&self) {
        self.put("/faults", &json!([])).await;
    }

    pub(crate) async fn learn(&self, on: bool) {
        self.put("/learning", &json!({ "on": on })).await;
    }

    pub(crate) async fn status(&self) -> MiddleStatus {
        serde_json::from_str(body(&self.call("GET", "/status", String::new()).await)).unwrap()
    }

    /// What the agent knows of [`POD`].
    pub(crate) async fn pod(&self) -> PodNow {
        self.status().await.pods.remove(POD).unwrap_or_default()
    }

    /// Waits until the agent says something of [`POD`].
    pub(crate) async fn until(&self, what: &str, condition: impl Fn(&PodNow) -> bool) {
        let since = Instant::now();
        while !condition(&self.pod().await) {
            assert!(since.elapsed() < Duration::from_secs(5), "not within 5 s: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn facts(&self) -> Vec<Fact> {
        let answer = self.call("GET", "/evidence", String::new()).await;
        body(&answer).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits until the evidence holds what `pick` picks, and gives all of it.
    pub(crate) async fn until_told<T>(&self, what: &str, pick: impl Fn(Fact) -> Option<T>) -> Vec<T> {
        let since = Instant::now();
        loop {
            let picked: Vec<T> = self.facts().await.into_iter().filter_map(&pick).collect();
            if !picked.is_empty() {
                return picked;
            }
            assert!(since.elapsed() < Duration::from_mins(1), "not told: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// The only fault there was.
    pub(crate) async fn only_fault(&self) -> FaultFact {
        let mut faults: Vec<_> = self.facts().await.into_iter().filter_map(as_fault).collect();
        assert_eq!(faults.len(), 1, "{faults:?}");
        faults.remove(0)
    }

    /// Calls, pings and opened connections of [`POD`] in the evidence.
    pub(crate) async fn counted(&self) -> (u32, u32, u32) {
        let seconds = self.facts().await.into_iter().filter_map(as_call).filter(|second| second.pod == POD);
        seconds.fold((0, 0, 0), |(calls, pings, opened), second| {
            (calls + second.total(), pings + second.pings, opened + second.opened)
        })
    }

    async fn put(&self, path: &str, value: &Value) -> String {
        self.call("PUT", path, value.to_string()).await
    }

    async fn call(&self, method: &str, path: &str, body: String) -> String {
        let mut api = TcpStream::connect(self.api).await.unwrap();
        let length = body.len();
        let head = "host: agent\r\nconnection: close\r\ncontent-type: application/json";
        let request = format!("{method} {path} HTTP/1.1\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}");
        api.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        api.read_to_string(&mut answer).await.unwrap();
        answer
    }
}

fn as_fault(fact: Fact) -> Option<FaultFact> {
    if let Fact::Fault(fault) = fact { Some(fault) } else { None }
}

fn as_call(fact: Fact) -> Option<CallFact> {
    if let Fact::Call(call) = fact { Some(call) } else { None }
}

fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").unwrap().1
}

async fn listener() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}
