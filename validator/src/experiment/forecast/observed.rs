//! The forecast of an observing run.

use super::super::observation;
use super::super::preparation::QUIET;
use super::{AROUND, Forecast, PlannedStep};
use crate::checks::ALL;
use crate::evidence::Step;
use crate::plan::Plan;

/// What it does, and what it leaves to runs that prove.
pub(super) fn forecast(plan: &Plan) -> Forecast {
    let (rate, service) = (plan.traffic.rate, &plan.target.service);
    let skipped = ALL.iter().filter(|check| !check.needs.can_be_observed()).count();
    Forecast {
        steps: vec![
            PlannedStep::new(Step::Baseline, QUIET, format!("{rate} requests per second that only read")),
            PlannedStep::new(
                Step::Observation,
                observation::length(&plan.target),
                "the same, the probes, the watches".into(),
            ),
        ],
        around: AROUND,
        parts: Vec::new(),
        outage: vec![format!(
            "users of {service}: none; nothing is rolled or broken, {rate} requests per second are added, and none of them writes"
        )],
        open: vec![format!("{skipped} of {} checks need a roll and are skipped", ALL.len())],
        undeclared: Vec::new(),
        command: "validator run --observe",
    }
}
