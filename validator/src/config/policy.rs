//! The limits that checks judge by; units stand in the names.

use serde::{Deserialize, Serialize};

/// The organisation's defaults.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Policy {
    /// Blind window per termination that a zero must rule out at 95 %.
    pub max_blind_window_s: f64,
    /// What a service may need from SIGTERM to exit.
    pub shutdown_budget_s: f64,
    /// What the kubelet needs beside it before the grace period ends.
    pub kubelet_margin_s: f64,
    /// Share of requests that must leave on time.
    pub min_on_time_share: f64,
    /// A request that leaves later than this after it was due is late.
    pub late_after_ms: f64,
    /// Share of answers below 500 that the quiet phase must show.
    pub min_baseline_share: f64,
    /// Uncertainty of an agent's clock.
    pub max_clock_uncertainty_ms: f64,
    /// Readiness may go on saying yes after deletion for at most this long.
    pub max_ready_after_deletion_s: f64,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_blind_window_s: 0.25,
            shutdown_budget_s: 25.0,
            kubelet_margin_s: 2.0,
            min_on_time_share: 0.99,
            late_after_ms: 50.0,
            min_baseline_share: 0.99,
            max_clock_uncertainty_ms: 50.0,
            max_ready_after_deletion_s: 2.0,
        }
    }
}
