//! What only a manifest shows: one file per subject. Codes from 050 on are of this command alone.

mod environment;
mod image;
mod probes;
mod service;
mod shutdown;
mod spread;

use super::Hit;
use super::bundle::Bundle;
use super::workload::{Said, Workload};
use crate::check::Severity;
use crate::config::GoLivePolicy;

/// One rule.
pub(crate) struct Rule {
    /// Its code.
    pub(crate) id: &'static str,
    /// The property that should hold.
    pub(crate) slug: &'static str,
    /// What it means if it does not.
    pub(crate) severity: Severity,
    /// Why it matters.
    pub(crate) why: &'static str,
    /// What to change.
    pub(crate) remedy: &'static str,
    /// What it has to say.
    pub(super) find: fn(&Workload, &Bundle) -> Vec<Said>,
}

/// All of them.
pub(crate) const ALL: &[&Rule] = &[
    &environment::OTLP_ENDPOINT,
    &environment::TRACING_ON,
    &environment::SERVICE_NAME,
    &environment::SECRETS,
    &probes::PORT_EXISTS,
    &probes::ROOM,
    &probes::STARTUP,
    &shutdown::PRE_STOP_FITS,
    &shutdown::SIGNAL_ARRIVES,
    &service::PORT,
    &spread::SPREAD,
    &spread::AUTOSCALER,
    &spread::BUDGET,
    &image::PINNED,
    &image::MEMORY,
];

/// What they say of a workload.
pub(super) fn hits(workload: &Workload, bundle: &Bundle, policy: &GoLivePolicy) -> Vec<Hit> {
    let each =
        ALL.iter().flat_map(|rule| (rule.find)(workload, bundle).into_iter().map(move |said| (rule, said)));
    each.map(|(rule, said)| {
        let severity = policy.spec.weight(rule.id, rule.severity);
        workload.hit((rule.id, rule.slug, severity, rule.remedy), said)
    })
    .collect()
}
