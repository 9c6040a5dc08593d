//! Settings that differ from the organisation's defaults are told.

use serde_json::{Value, json, to_value};

use crate::check::{Area, Check, Finding, Severity};
use crate::config::{Defaults, Probe, ProbeTimings};
use crate::plan::{Needs, Place};
use crate::timeline::Timeline;

/// The check.
pub(super) const CHECK: Check = Check {
    id: "GL-R005",
    slug: "settings-are-the-defaults",
    area: Area::Release,
    severity: Severity::Info,
    why: "A setting that is another one than everybody else's may be right; whoever is on call should know of it before the night.",
    how: "Holds what the service declares (breakers, probe timings, grace period, sampling) against the defaults of the policy. It changes no verdict.",
    remedy: "Leave the setting at the organisation's default, or say in the repository why it differs.",
    rests_on: &[],
    needs: Needs::Observation,
    judge,
};

fn judge(timeline: &Timeline) -> Finding {
    let plan = timeline.plan();
    let defaults = &plan.policy.spec.defaults;
    let mut told = breakers(timeline, defaults);
    // Nobody has declared a process anything but its dependencies.
    if plan.place == Place::Cluster {
        told.extend(probe("readinessProbe", plan.target.readiness.as_ref(), defaults.readiness));
        told.extend(probe("livenessProbe", plan.target.liveness.as_ref(), defaults.liveness));
        told.extend(grace(timeline, defaults));
        told.extend(sampling(timeline, defaults));
    }
    let names_none = to_value(defaults).is_ok_and(|all| all == json!({}));
    match (told.as_slice(), names_none) {
        (_, true) => Finding::skipped("the policy names no defaults"),
        ([], false) => Finding::pass("what is declared is what the policy has as defaults"),
        ([one], false) => Finding::warn(one.clone()),
        (several, false) => {
            Finding::warn(format!("{} settings differ from the policy's defaults", several.len()))
                .details(several.iter().cloned())
        }
    }
}

fn breakers(timeline: &Timeline, defaults: &Defaults) -> Vec<String> {
    let Some(usual) = defaults.breaker.as_ref().and_then(|breaker| to_value(breaker).ok()) else {
        return Vec::new();
    };
    let declared = timeline
        .plan()
        .dependencies
        .iter()
        .filter_map(|dependency| Some((&dependency.name, to_value(dependency.breaker.as_ref()?).ok()?)));
    declared
        .flat_map(|(name, breaker)| differences(&format!("breaker of {name}"), &breaker, &usual))
        .collect()
}

/// Keys of which the two do not say the same.
fn differences(what: &str, declared: &Value, usual: &Value) -> Vec<String> {
    let keys = |value: &Value| value.as_object().map(|all| all.keys().cloned().collect()).unwrap_or_default();
    let mut all: Vec<String> = keys(declared);
    all.extend(keys(usual));
    all.sort();
    all.dedup();
    let told = |value: &Value| {
        if value.is_null() { "nothing".to_owned() } else { value.to_string().replace('"', "") }
    };
    all.into_iter()
        .filter(|key| declared[key] != usual[key])
        .map(|key| format!("{what}: {key} {}, by default {}", told(&declared[&key]), told(&usual[&key])))
        .collect()
}

fn probe(what: &str, declared: Option<&Probe>, usual: Option<ProbeTimings>) -> Vec<String> {
    let (Some(declared), Some(usual)) = (declared, usual) else { return Vec::new() };
    let pairs = [
        ("periodSeconds", declared.period_s, usual.period_seconds),
        ("timeoutSeconds", declared.timeout_s, usual.timeout_seconds),
        ("failureThreshold", declared.failure_threshold, usual.failure_threshold),
    ];
    pairs
        .into_iter()
        .filter_map(|(key, is, usual)| Some((key, is, usual.filter(|usual| *usual != is)?)))
        .map(|(key, is, usual)| format!("{what}: {key} {is}, by default {usual}"))
        .collect()
}

fn grace(timeline: &Timeline, defaults: &Defaults) -> Option<String> {
    let usual = i64::from(defaults.termination_grace_period_seconds?);
    // 30 where nothing is declared (Kubernetes API, PodSpec).
    let is = timeline.workload.number("/spec/template/spec/terminationGracePeriodSeconds").unwrap_or(30);
    (is != usual).then(|| format!("terminationGracePeriodSeconds {is}, by default {usual}"))
}

/// Only what stands in the template in the clear; a service that is set otherwise says nothing of it here.
fn sampling(timeline: &Timeline, defaults: &Defaults) -> Option<String> {
    let usual = defaults.sampling?;
    let serving = &timeline.plan().target.container;
    let container = timeline.workload.containers().iter().find(|c| c["name"] == serving.as_str())?;
    let variables = container["env"].as_array()?;
    let declared = variables.iter().find(|variable| variable["name"] == "OTEL_TRACES_SAMPLER_ARG")?;
    let is: f64 = declared["value"].as_str()?.parse().ok()?;
    ((is - usual).abs() > f64::EPSILON).then(|| format!("OTEL_TRACES_SAMPLER_ARG {is}, by default {usual}"))
}
