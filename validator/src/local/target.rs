//! What a file declares of a target on this machine, as a cluster would have been found to have it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::objects;
use crate::config::{GoLiveCheck, Local, LocalProbe, PORT};
use crate::evidence::{Change, ObjectKind};
use crate::load::SecretHeaders;
use crate::moment::now;
use crate::plan::{PreStop, TargetPlan};
use crate::steer::{Probes, Target};

/// What nothing declares of an end: the drain after SIGTERM, which the grace period bounds.
const DRAIN: Duration = Duration::from_secs(18);

/// What nothing declares of a start: until the first question of a probe is answered well.
const START: Duration = Duration::from_secs(2);

/// What stands in the plan.
pub fn planned(check: &GoLiveCheck, version: &str) -> TargetPlan {
    let local = &check.spec.local;
    let name = &check.metadata.name;
    let Probes { readiness, liveness } = probes(local);
    let undeclared =
        [("readinessProbe", assumes_readiness(local)), ("livenessProbe", local.liveness.is_unsaid())];
    let assumed = undeclared.into_iter().filter(|(_, undeclared)| *undeclared);
    TargetPlan {
        namespace: objects::NODE.to_owned(),
        deployment: name.clone(),
        service: check.spec.target.service.clone().unwrap_or_else(|| name.clone()),
        image: local.command.first().cloned().unwrap_or_default(),
        candidate: None,
        version: version.to_owned(),
        replicas: i32::try_from(local.replicas).unwrap_or(i32::MAX),
        port: PORT,
        container: name.clone(),
        readiness,
        liveness,
        assumed: assumed.map(|(field, _)| field.to_owned()).collect(),
        pre_stop: PreStop::None,
        nodes: 1,
    }
}

/// What a run takes for granted of its copies, since no file says it.
pub fn assumed(local: &Local) -> Option<String> {
    let readiness = "a copy is ready while GET /ready at its port for users is answered well";
    let liveness = "only its own end restarts it";
    let of_each = [(assumes_readiness(local), readiness), (local.liveness.is_unsaid(), liveness)];
    let of_each: Vec<&str> =
        of_each.into_iter().filter(|(is_assumed, _)| *is_assumed).map(|(_, what)| what).collect();
    (!of_each.is_empty()).then(|| {
        format!("assumed, since spec.local.readiness and liveness do not say it: {}", of_each.join("; "))
    })
}

fn assumes_readiness(local: &Local) -> bool {
    local.readiness.as_ref().is_some_and(|probe| probe.assumed)
}

/// The probes at the ports that are declared; each copy has others in their place.
pub(super) fn probes(local: &Local) -> Probes {
    Probes {
        readiness: local.readiness.as_ref().map(LocalProbe::probe),
        liveness: local.liveness.declared().map(LocalProbe::probe),
    }
}

/// The target with a Service at this address.
pub(super) fn found(local: &Local, plan: TargetPlan, address: SocketAddr) -> Target {
    let delay = local.readiness.as_ref().map_or(0, |probe| probe.initial_delay_seconds);
    let delay = Duration::from_secs(delay.into());
    let drain = DRAIN.min(Duration::from_secs_f64(local.grace_period.0));
    let (ready_for, copies) = (Duration::from_secs_f64(local.min_ready.0), local.replicas);
    let service = serde_json::json!({ "metadata": { "name": plan.service }, "spec": {} });
    Target {
        address,
        // As a user would who was told this address.
        host: address.to_string(),
        ports: BTreeMap::new(),
        headers: SecretHeaders::default(),
        probes: probes(local),
        expected_roll: (delay + ready_for + START) * copies + drain,
        least_roll: (delay + ready_for) * copies,
        facts: vec![objects::seen(now(), ObjectKind::Service, Change::Listed, service)],
        plan,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_say_a_host_that_every_server_takes() {
        let mut check = GoLiveCheck::for_deployment("my service", "default", Vec::new());
        check.metadata.name = "my service".to_owned();
        let plan = planned(&check, "local");
        let target = found(&check.spec.local, plan, ([127, 0, 0, 1], 40_123).into());
        let host: http::uri::Authority = target.host.parse().unwrap();
        assert_eq!((host.host(), host.port_u16()), ("127.0.0.1", Some(40_123)));
    }

    #[test]
    fn probes_that_no_file_declares_are_known_and_of_them_readiness_alone_is_asked() {
        let mut check = GoLiveCheck::for_deployment("users", "default", Vec::new());
        let plan = planned(&check, "local");
        assert_eq!(plan.assumed, ["readinessProbe", "livenessProbe"]);
        assert!(plan.readiness.is_some() && plan.liveness.is_none(), "nothing restarts a copy by surprise");
        let told = assumed(&check.spec.local).unwrap();
        assert!(told.contains("GET /ready") && told.contains("restarts"), "{told}");
        let declared =
            serde_json::json!({ "readiness": { "path": "/up" }, "liveness": { "path": "/alive" } });
        check.spec.local = serde_json::from_value(declared).unwrap();
        let plan = planned(&check, "local");
        assert!(plan.assumed.is_empty() && plan.liveness.is_some() && assumed(&check.spec.local).is_none());
        let none = serde_json::json!({ "readiness": null, "liveness": null });
        check.spec.local = serde_json::from_value(none).unwrap();
        let plan = planned(&check, "local");
        assert!(plan.assumed.is_empty() && plan.liveness.is_none(), "its owner has said that there is none");
    }
}
