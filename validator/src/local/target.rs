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
    let declared = [("readinessProbe", &local.readiness), ("livenessProbe", &local.liveness)];
    let assumed = declared.into_iter().filter(|(_, probe)| probe.as_ref().is_some_and(|probe| probe.assumed));
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

/// The probes at the ports that are declared; each copy has others in their place.
pub(super) fn probes(local: &Local) -> Probes {
    let declared = |probe: &Option<LocalProbe>| probe.as_ref().map(LocalProbe::probe);
    Probes { readiness: declared(&local.readiness), liveness: declared(&local.liveness) }
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
    fn probes_that_no_file_declares_are_known_to_be_assumed() {
        let mut check = GoLiveCheck::for_deployment("users", "default", Vec::new());
        assert_eq!(planned(&check, "local").assumed, ["readinessProbe", "livenessProbe"]);
        let declared = serde_json::json!({ "readiness": { "path": "/ready" }, "liveness": null });
        check.spec.local = serde_json::from_value(declared).unwrap();
        assert!(planned(&check, "local").assumed.is_empty());
    }
}
