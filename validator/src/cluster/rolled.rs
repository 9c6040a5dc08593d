//! A target that a run of a test has rolled in: its deployment, and the replica set of the template before.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::fake::{Fake, TARGET};
use crate::load::SecretHeaders;
use crate::plan::TargetPlan;
use crate::steer::{Probes, Target};
use crate::timeline::tests::header;

/// The deployment at the fake API server.
pub(crate) struct Rolled {
    fake: Fake,
}

impl Rolled {
    pub(crate) const PATH: &'static str = TARGET;

    /// The replica set of the template before.
    pub(crate) const SET: &'static str = "/apis/apps/v1/namespaces/demo/replicasets/users-4";

    /// Revision 5 is the candidate, led to agents; revision 4 is what was there before.
    pub(crate) fn by(fake: &Fake, run: &str) -> Self {
        let annotations = json!({
            "golive.dev/run": run, "golive.dev/rollback-to": "4", "golive.dev/rolls": "1",
            "deployment.kubernetes.io/revision": "5",
        });
        let mut template = old();
        template["spec"]["hostAliases"] = aliases();
        template["spec"]["containers"][0]["image"] = json!("users:2");
        fake.put(
            Self::PATH,
            json!({
                "metadata": { "name": "users", "uid": "u", "generation": 2, "annotations": annotations },
                "spec": { "selector": { "matchLabels": { "app": "users" } }, "template": template },
            }),
        );
        fake.put(Self::SET, json!({
            "metadata": {
                "name": "users-4", "annotations": { "deployment.kubernetes.io/revision": "4" },
                "ownerReferences": [{ "apiVersion": "apps/v1", "kind": "Deployment", "name": "users", "uid": "u" }],
            },
            "spec": { "selector": {}, "template": old() },
        }));
        Self { fake: fake.clone() }
    }

    pub(crate) fn template(&self) -> Value {
        self.deployment()["spec"]["template"].clone()
    }

    pub(crate) fn annotations(&self) -> Value {
        self.deployment()["metadata"]["annotations"].clone()
    }

    /// Whether its pods would be led to agents.
    pub(crate) fn leads(&self) -> bool {
        self.template().to_string().contains("agent.golive.invalid")
    }

    /// Somebody else changes it.
    pub(crate) fn change(&self, change: impl FnOnce(&mut Value)) {
        let mut deployment = self.deployment();
        change(&mut deployment);
        self.fake.put(Self::PATH, deployment);
    }

    fn deployment(&self) -> Value {
        self.fake.get(Self::PATH).unwrap()
    }
}

/// What is found of it, with one replica.
pub(crate) fn target() -> Target {
    let (deployment, service) = ("users".to_owned(), "users".to_owned());
    let plan = TargetPlan {
        deployment,
        service,
        namespace: "demo".into(),
        replicas: 1,
        container: "users".into(),
        ..header().plan.target
    };
    Target {
        ports: BTreeMap::new(),
        headers: SecretHeaders::default(),
        plan,
        address: ([127, 0, 0, 1], 80).into(),
        host: "users.demo.svc:80".into(),
        probes: Probes::default(),
        expected_roll: Duration::ZERO,
        least_roll: Duration::ZERO,
        facts: Vec::new(),
    }
}

/// The template before.
pub(crate) fn old() -> Value {
    json!({
        "metadata": { "labels": { "app": "users" } },
        "spec": { "containers": [{ "name": "users", "image": "users:1" }] },
    })
}

/// A pod of the candidate.
pub(crate) fn led_pod(name: &str) -> Value {
    let labels = json!({ "app": "users" });
    json!({ "metadata": { "name": name, "labels": labels }, "spec": { "containers": [], "hostAliases": aliases() } })
}

fn aliases() -> Value {
    json!([{ "ip": "10.96.0.7", "hostnames": ["postgres", "agent.golive.invalid"] }])
}
