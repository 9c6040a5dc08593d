//! The limits that checks judge by; units stand in the names.

use schemars::JsonSchema;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, to_value};

use crate::config::Breaker;

/// What checks hold a measure against.
#[derive(Clone, Debug, Deserialize, Serialize, JsonSchema, PartialEq)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct Limits {
    /// Blind window per termination that a zero must rule out at 95 %.
    pub max_blind_window_s: f64,
    /// What a service may need from SIGTERM to exit.
    pub shutdown_budget_s: f64,
    /// What the kubelet needs beside it before the grace period ends.
    pub kubelet_margin_s: f64,
    /// Share of the seconds of all load agents in which their requests must leave on time. What fails in a late one is
    /// not held against the service, so that a few are no harm.
    pub min_on_time_share: f64,
    /// A request that leaves later than this after it was due is late.
    pub late_after_ms: f64,
    /// Share of answers below 500 that the quiet phase must show.
    pub min_baseline_share: f64,
    /// Uncertainty of an agent's clock.
    pub max_clock_uncertainty_ms: f64,
    /// Readiness may go on saying yes after deletion for at most this long.
    pub max_ready_after_deletion_s: f64,
    /// A circuit may open this much before the earliest moment that the declared breaker allows.
    pub opening_early_s: f64,
    /// And this much after the latest.
    pub opening_late_s: f64,
    /// The trial may come this much before the open time has run out.
    pub trial_early_s: f64,
    /// And this much after, given that requests come all the time.
    pub trial_late_s: f64,
    /// 99 % of fallback answers must come within this time.
    pub max_fallback_p99_ms: f64,
    /// The same while every data store of the pod is lost: its cache is gone as well.
    pub max_lost_p99_ms: f64,
    /// Connections that a pod may try per second, over a whole loss, at a dependency that refuses them.
    pub max_reconnects_per_s: f64,
    /// What a request may take beyond the declared deadline.
    pub max_beyond_deadline_s: f64,
    /// A hiccup up to this long must not open a circuit.
    pub max_hiccup_s: f64,
    /// Calls and connections after an outage, as a multiple of those before it.
    pub max_stampede_factor: f64,
    /// So many new connections per second are never a stampede.
    pub min_stampede_connections: u32,
    /// Beyond open time and deadline, a pod's calls must be back within this time.
    pub max_recovery_margin_s: f64,
    /// After a fail-over no connection to what has become a replica may be used again later than this.
    pub max_pool_back_s: f64,
    /// Readiness must say so within this time after a dependency is lost.
    pub max_readiness_reaction_s: f64,
    /// Beyond the probe's own timings, the endpoint must be out within this time.
    pub max_endpoint_out_margin_s: f64,
    /// Beyond the probe's own timings, the endpoint must be back within this time.
    pub max_endpoint_back_margin_s: f64,
    /// A fault must have touched something of its pod within this time.
    pub max_fault_effect_s: f64,
    /// What the middle agents may add to the median.
    pub max_agent_latency_ms: f64,
    /// Without a collector answers may take this multiple of what 99 % took with one,
    pub max_slower_factor: f64,
    /// or this much more, whichever is more.
    pub max_slower_ms: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_blind_window_s: 0.25,
            shutdown_budget_s: 25.0,
            kubelet_margin_s: 2.0,
            min_on_time_share: 0.95,
            late_after_ms: 50.0,
            min_baseline_share: 0.99,
            max_clock_uncertainty_ms: 50.0,
            max_ready_after_deletion_s: 2.0,
            opening_early_s: Breaker::EARLY_S,
            opening_late_s: Breaker::LATE_S,
            trial_early_s: 1.0,
            trial_late_s: 2.0,
            max_fallback_p99_ms: 100.0,
            max_lost_p99_ms: 250.0,
            max_reconnects_per_s: 20.0,
            max_beyond_deadline_s: 0.5,
            max_hiccup_s: 2.0,
            max_stampede_factor: 2.0,
            min_stampede_connections: 12,
            max_recovery_margin_s: 5.0,
            max_pool_back_s: 9.0,
            max_readiness_reaction_s: 5.0,
            max_endpoint_out_margin_s: 5.0,
            max_endpoint_back_margin_s: 10.0,
            max_fault_effect_s: 3.0,
            max_agent_latency_ms: 0.5,
            max_slower_factor: 2.0,
            max_slower_ms: 20.0,
        }
    }
}

/// Limits that a measure can be held against: numbers from 0 on, and shares of at most 1.
pub(super) fn sane<'de, D: Deserializer<'de>>(from: D) -> Result<Limits, D::Error> {
    let limits = Limits::deserialize(from)?;
    match limits.figures().iter().find_map(|(name, figure)| wrong(name, *figure)) {
        Some(wrong) => Err(D::Error::custom(wrong)),
        None => Ok(limits),
    }
}

fn wrong(name: &str, figure: f64) -> Option<String> {
    if name.ends_with("Share") && !(0.0..=1.0).contains(&figure) {
        return Some(format!("{name} {figure}: expected a share from 0 to 1"));
    }
    let sane = figure.is_finite() && figure >= 0.0;
    (!sane).then(|| format!("{name} {figure}: expected a number from 0 on"))
}

impl Limits {
    /// Each by its name in the file; one that is no finite number is NaN.
    pub fn figures(&self) -> Vec<(String, f64)> {
        let Ok(Value::Object(all)) = to_value(self) else { return Vec::new() };
        all.into_iter().map(|(name, figure)| (name, figure.as_f64().unwrap_or(f64::NAN))).collect()
    }
}
