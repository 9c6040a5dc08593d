//! Evidence of one roll of three pods, and then a quiet moment.

use golive_validator::config::{Handler, Probe, Scheme};
use golive_validator::evidence::{Evidence, Fact, Header, Millis, SCHEMA};
use golive_validator::plan::PreStop;
use serde_json::{Value, json};

/// How each pod ends; times in seconds after its deletion.
#[derive(Clone)]
pub(super) struct Drain {
    /// Until when the readiness probe succeeds.
    pub(super) ready_s: f64,
    /// When the listener closes.
    pub(super) closed_s: f64,
    /// When the container ends.
    pub(super) ended_s: f64,
    /// What it exits with.
    pub(super) code: i64,
    /// What a sidecar exits with, if there is one.
    pub(super) sidecar: Option<i64>,
}

impl Default for Drain {
    fn default() -> Self {
        Self { ready_s: 0.5, closed_s: 8.0, ended_s: 9.0, code: 0, sidecar: None }
    }
}

/// Something that happens once.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// One readiness answer takes too long.
    Slow,
    /// A pod loses Ready.
    Flap,
    /// A request on a kept connection is lost while the first pod leaves.
    Lost,
}

/// One roll of three pods of the container `web`.
pub(super) struct Roll {
    pub(super) pre_stop: PreStop,
    pub(super) grace_s: i64,
    pub(super) drain: Drain,
    /// Both probes.
    pub(super) probe: Handler,
    pub(super) liveness: Handler,
    pub(super) declares: bool,
    /// What a probe says while all is well.
    pub(super) success: Result<u16, &'static str>,
    /// What else happens.
    pub(super) event: Option<Event>,
    /// This container is started again once.
    pub(super) restarts: Option<&'static str>,
    /// Requests per second of each class.
    pub(super) rate: u32,
    /// Further facts.
    pub(super) more: Vec<Value>,
}

impl Default for Roll {
    fn default() -> Self {
        let ready = get(8080, "/up");
        Self {
            pre_stop: PreStop::None,
            grace_s: 30,
            drain: Drain::default(),
            probe: ready.clone(),
            liveness: ready,
            declares: true,
            success: Ok(200),
            event: None,
            restarts: None,
            rate: 50,
            more: Vec::new(),
        }
    }
}

pub(super) fn get(port: u16, path: &str) -> Handler {
    Handler::HttpGet { scheme: Scheme::Http, host: None, port, path: path.into(), headers: Vec::new() }
}

/// When the roll and the run end.
const ROLLED: Millis = 200_000;
const END: Millis = 204_000;

/// When each old pod is deleted.
const DELETED: [Millis; 3] = [20_000, 70_000, 120_000];

impl Roll {
    pub(super) fn evidence(self) -> Evidence {
        let mut facts = vec![self.deployment()];
        for (step, begin, end) in
            [("baseline", 0, 10_000), ("roll-in", 10_000, ROLLED), ("quiet", ROLLED, END)]
        {
            facts.push(json!({ "fact": "step", "at": begin, "step": step, "edge": "begin" }));
            facts.push(json!({ "fact": "step", "at": end, "step": step, "edge": "end" }));
        }
        for (number, deleted) in DELETED.into_iter().enumerate() {
            facts.extend(self.pod(number, deleted));
        }
        facts.extend((0..END / 1_000).flat_map(|second| self.second(second * 1_000)));
        if self.event == Some(Event::Lost) {
            facts.extend(lost(DELETED[0] + 1_000));
        }
        facts.extend(self.more.clone());
        let facts = facts.into_iter().map(|fact| serde_json::from_value::<Fact>(fact).unwrap());
        Evidence::new(self.header(), facts.collect())
    }

    fn header(&self) -> Header {
        let probe = |handler: &Handler| {
            self.declares.then(|| Probe {
                handler: handler.clone(),
                timeout_s: 1,
                period_s: 5,
                failure_threshold: 3,
                success_threshold: 1,
                initial_delay_s: 0,
            })
        };
        let liveness = if self.probe == Handler::Exec { &self.probe } else { &self.liveness };
        let target = json!({
            "namespace": "n", "deployment": "d", "service": "s", "image": "i", "version": "v", "replicas": 3,
            "port": 8080, "container": "web", "readiness": probe(&self.probe), "liveness": probe(liveness),
            "pre_stop": self.pre_stop, "nodes": 1
        });
        let traffic = json!({ "rate": 100.0, "sampled": 0.0, "requests": [], "agents": 1 });
        let plan =
            json!({ "run": "r", "target": target, "traffic": traffic, "dependencies": [], "policy": {} });
        let header = json!({ "schema": SCHEMA, "validator": "0", "started": 0, "plan": plan });
        serde_json::from_value(header).unwrap()
    }

    fn deployment(&self) -> Value {
        let containers = json!([{ "name": "logs" }, { "name": "web" }]);
        let template =
            json!({ "spec": { "terminationGracePeriodSeconds": self.grace_s, "containers": containers } });
        let object = json!({ "metadata": { "name": "d" }, "spec": { "replicas": 3, "template": template } });
        json!({ "fact": "object", "at": 0, "kind": "deployment", "change": "listed", "object": object })
    }

    fn pod(&self, number: usize, deleted: Millis) -> Vec<Value> {
        let ms = |seconds: f64| deleted + (seconds * 1000.0) as Millis;
        let (ready, closed, ended) =
            (ms(self.drain.ready_s), ms(self.drain.closed_s), ms(self.drain.ended_s));
        let object = |at: Millis, ready: bool, leaving: bool, exits: bool| {
            let again = self.restarts.filter(|_| number == 2 && at >= 90_000);
            self.object(number, at, (ready, leaving, exits), again)
        };
        let mut facts = vec![object(0, true, false, false)];
        if self.event == Some(Event::Flap) && number == 2 {
            facts.extend([object(50_000, false, false, false), object(60_000, true, false, false)]);
        }
        facts.extend([
            object(deleted - 5_000, true, false, false),
            object(deleted, true, true, false),
            object(ended, false, true, true),
        ]);
        if self.probe != Handler::Exec && self.declares {
            facts.extend(self.probes(number, (deleted, ready, closed, ended)));
        }
        facts
    }

    fn probes(
        &self,
        number: usize,
        (_, ready, closed, ended): (Millis, Millis, Millis, Millis),
    ) -> Vec<Value> {
        let slow = if self.event == Some(Event::Slow) { 30_000 } else { -1 };
        let said = |target: &str, from: Millis, to: Millis, answer: Result<u16, &str>| {
            let samples = (to - from).max(0) / 250 + 1;
            json!({ "fact": "probe", "from": from, "to": to, "pod": format!("web-{number}"), "target": target,
                "answer": answer, "samples": samples })
        };
        let mut facts = vec![
            said("readiness", 250, ready, self.success),
            said("liveness", 250, closed - 250, self.success),
            said("liveness", closed, ended, Err("refused")),
        ];
        if slow > 0 && number > 0 {
            facts.push(said("readiness", slow, slow, Err("timeout")));
            facts.push(said("readiness", slow + 1_000, ready, self.success));
        }
        if ready + 250 < closed && self.success.is_ok() {
            facts.push(said("readiness", ready + 250, closed - 250, Ok(503)));
        }
        facts.push(said("readiness", closed, ended, Err("refused")));
        facts
    }

    fn object(
        &self,
        number: usize,
        at: Millis,
        (ready, leaving, exits): (bool, bool, bool),
        again: Option<&str>,
    ) -> Value {
        let status = |name: &str, code: i64| {
            let state = if exits {
                json!({ "terminated": { "exitCode": code, "reason": "End" } })
            } else {
                json!({})
            };
            json!({ "name": name, "restartCount": i64::from(again == Some(name)), "state": state })
        };
        let sidecar = self.drain.sidecar.map(|code| status("logs", code));
        let statuses: Vec<Value> = sidecar.into_iter().chain([status("web", self.drain.code)]).collect();
        let name = format!("web-{number}");
        let mut metadata = json!({ "name": name, "uid": name });
        if leaving {
            metadata["deletionTimestamp"] = json!("2026-11-25T10:00:00Z");
            metadata["deletionGracePeriodSeconds"] = json!(self.grace_s);
        }
        let condition = json!({ "type": "Ready", "status": if ready { "True" } else { "False" } });
        let object = json!({ "metadata": metadata, "status": { "conditions": [condition], "containerStatuses": statuses } });
        json!({ "fact": "object", "at": at, "kind": "pod", "change": "modified", "object": object })
    }

    fn second(&self, at: Millis) -> Vec<Value> {
        let rate = self.rate;
        let outcomes = if rate > 0 { json!([[{ "answered": 200 }, rate]]) } else { json!([]) };
        let of = |class: &str| {
            json!({ "fact": "second", "at": at, "agent": "a", "node": "n", "class": class, "due": rate,
                "on_time": rate, "lost": 0, "outcomes": outcomes, "open": 4, "times": vec![0; 18] })
        };
        ["new", "busy", "idle", "post"].map(of).to_vec()
    }
}

/// A request on a kept connection that ended under it.
fn lost(due: Millis) -> Vec<Value> {
    let second = json!({ "fact": "second", "at": due / 1_000 * 1_000, "agent": "b", "node": "n", "class": "busy",
        "due": 1, "on_time": 1, "lost": 1, "outcomes": [["reset", 1]], "open": 4, "times": vec![0; 18] });
    let request = json!({ "fact": "request", "due": due, "sent": due, "took_ms": 3.0, "agent": "b", "node": "n",
        "class": "busy", "request": "GET /", "outcome": "reset" });
    vec![second, request]
}
