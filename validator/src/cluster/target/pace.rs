//! How long a roll takes, as far as the declared times and the pods there are can tell.

use std::time::Duration;

use k8s_openapi::api::apps::v1::DeploymentSpec;
use k8s_openapi::api::core::v1::{Container, Pod, Probe};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use crate::plan::PreStop;

/// What nothing declares: scheduling, the start of a container, the answer of the first probe.
const START: Duration = Duration::from_secs(2);

/// What nothing declares of an end: the drain after SIGTERM.
const DRAIN: Duration = Duration::from_secs(18);

/// The pace of one deployment's rolls.
pub(super) struct Pace {
    /// Pods replaced one after the other; those of one wave start together.
    waves: u32,
    /// A pod waits at least this long for its first readiness probe.
    delay: Duration,
    /// `minReadySeconds`.
    ready_for: Duration,
    /// What the probes let expect until a pod is Ready.
    until_ready: Duration,
    pre_stop: Duration,
}

impl Pace {
    /// From what is declared, and from how long the pods there are took when they started.
    pub(super) fn new(spec: &DeploymentSpec, container: &Container, pre_stop: PreStop, pods: &[Pod]) -> Self {
        let (startup, readiness) = (container.startup_probe.as_ref(), container.readiness_probe.as_ref());
        let delay =
            [startup, readiness].into_iter().flatten().map(|probe| seconds(probe.initial_delay_seconds, 0));
        let delay = delay.max().unwrap_or_default();
        let half =
            |probe: Option<&Probe>| probe.map_or(Duration::ZERO, |p| seconds(p.period_seconds, 10) / 2);
        let declared = delay + half(startup) + half(readiness) + START;
        Self {
            waves: waves(spec),
            delay,
            ready_for: seconds(spec.min_ready_seconds, 0),
            until_ready: pods.iter().filter_map(took).min().unwrap_or(declared),
            pre_stop: pre_stop.declared(),
        }
    }

    /// One wave after the other becomes ready, then the last old pod drains.
    pub(super) fn expected_roll(&self) -> Duration {
        (self.until_ready + self.ready_for) * self.waves + self.pre_stop + DRAIN
    }

    /// However fast the pods are: every one waits for its first probe and then stays ready for the declared time.
    pub(super) fn least_roll(&self) -> Duration {
        (self.delay + self.ready_for) * self.waves
    }
}

fn seconds(value: Option<i32>, default: u64) -> Duration {
    Duration::from_secs(value.map_or(Ok(default), u64::try_from).unwrap_or(default))
}

/// From the start of a pod to its condition Ready; too much if it was not ready in between.
fn took(pod: &Pod) -> Option<Duration> {
    let status = pod.status.as_ref()?;
    let ready = status.conditions.as_ref()?.iter().find(|c| c.type_ == "Ready" && c.status == "True")?;
    let (from, to) = (status.start_time.as_ref()?.0, ready.last_transition_time.as_ref()?.0);
    Duration::try_from(to.duration_since(from)).ok()
}

/// How often new pods can become ready one after the other: as many at a time as the strategy lets start.
fn waves(spec: &DeploymentSpec) -> u32 {
    let strategy = spec.strategy.clone().unwrap_or_default();
    if strategy.type_.as_deref() == Some("Recreate") {
        return 1;
    }
    let replicas = u32::try_from(spec.replicas.unwrap_or(1)).unwrap_or(1);
    let rolling = strategy.rolling_update.unwrap_or_default();
    let at_once = pods(rolling.max_surge, replicas, true) + pods(rolling.max_unavailable, replicas, false);
    replicas.div_ceil(at_once.max(1))
}

/// A limit in pods: both default to 25 %, a surge is rounded up, the other down.
fn pods(limit: Option<IntOrString>, replicas: u32, up: bool) -> u32 {
    let percent = match limit {
        Some(IntOrString::Int(number)) => return u32::try_from(number).unwrap_or(0),
        Some(IntOrString::String(text)) => text.trim_end_matches('%').parse().unwrap_or(25),
        None => 25,
    };
    (replicas * percent + if up { 99 } else { 0 }) / 100
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{Container, Pod};
    use serde_json::{Value, from_value, json};

    use super::Pace;
    use crate::plan::PreStop;

    fn pace(strategy: &Value, container: Value, pre_stop: PreStop, pods: &[Pod]) -> Pace {
        let spec = json!({ "replicas": 3, "minReadySeconds": 5, "strategy": strategy, "selector": {}, "template": {} });
        let container: Container = from_value(container).unwrap();
        Pace::new(&from_value(spec).unwrap(), &container, pre_stop, pods)
    }

    fn web(probes: &Value) -> Value {
        let mut container = json!({ "name": "web" });
        container.as_object_mut().unwrap().extend(probes.as_object().unwrap().clone());
        container
    }

    #[test]
    fn a_pod_that_took_40_s_to_be_ready_is_waited_for_three_times() {
        let ready =
            json!([{ "type": "Ready", "status": "True", "lastTransitionTime": "2026-11-25T10:00:40Z" }]);
        let status = json!({ "startTime": "2026-11-25T10:00:00Z", "conditions": ready });
        let pod: Pod = from_value(json!({ "status": status })).unwrap();
        let probes = json!({ "readinessProbe": { "periodSeconds": 5, "tcpSocket": { "port": 80 } } });
        let one_by_one = pace(&json!({}), web(&probes), PreStop::Sleep(15), std::slice::from_ref(&pod));
        assert_eq!(one_by_one.expected_roll().as_secs(), 3 * (40 + 5) + 15 + 18);
        let all = json!({ "rollingUpdate": { "maxSurge": "100%" } });
        let at_once = pace(&all, web(&probes), PreStop::None, &[pod]);
        assert_eq!(at_once.expected_roll().as_secs(), 45 + 18);
    }

    #[test]
    fn declared_delays_count_from_the_start_of_the_container() {
        let probes = json!({
            "startupProbe": { "initialDelaySeconds": 10, "periodSeconds": 4, "tcpSocket": { "port": 80 } },
            "readinessProbe": { "initialDelaySeconds": 20, "periodSeconds": 4, "tcpSocket": { "port": 80 } }
        });
        let pace = pace(&json!({}), web(&probes), PreStop::None, &[]);
        assert_eq!(pace.least_roll().as_secs(), 3 * (20 + 5));
        assert_eq!(pace.expected_roll().as_secs(), 3 * (20 + 2 + 2 + 2 + 5) + 18);
    }
}
