//! All checks, in report order. List, docs and tests derive from this slice.

mod breaker_declared;
mod circuit_opens_as_declared;
mod clocks_agree;
mod close_announced_before_closing;
mod database_span_in_trace;
mod disruption_budget_allows_one;
mod exits_zero_within_grace;
mod grace_covers_shutdown;
mod half_open_single_trial;
mod liveness_answers;
mod liveness_probe_declared;
mod load_kept_its_rate;
mod no_foreign_disruption;
mod no_readiness_flap;
mod no_request_lost_during_rollout;
mod no_restart;
mod pods_within_surge;
mod probe_timings_sane;
mod quiet_phase_answered;
mod readiness_ends_at_termination;
mod readiness_probe_declared;
mod ready_endpoints_keep_promise;
mod ready_means_answering;
mod replicas_at_least_two;
mod rollout_completes;
mod sampled_requests_traced;
mod service_version_on_spans;
mod spread_over_nodes;
mod strategy_keeps_capacity;
mod terminations_seen;
mod traces_survive_their_pod;
mod two_vantage_points;
mod watches_had_no_gap;

use crate::check::Check;

/// Every check; the order is the order of reports and docs.
pub const ALL: &[&Check] = &[
    &sampled_requests_traced::CHECK,
    &database_span_in_trace::CHECK,
    &traces_survive_their_pod::CHECK,
    &service_version_on_spans::CHECK,
    &readiness_probe_declared::CHECK,
    &liveness_probe_declared::CHECK,
    &probe_timings_sane::CHECK,
    &no_readiness_flap::CHECK,
    &no_restart::CHECK,
    &ready_means_answering::CHECK,
    &liveness_answers::CHECK,
    &readiness_ends_at_termination::CHECK,
    &grace_covers_shutdown::CHECK,
    &no_request_lost_during_rollout::CHECK,
    &exits_zero_within_grace::CHECK,
    &close_announced_before_closing::CHECK,
    &breaker_declared::CHECK,
    &circuit_opens_as_declared::CHECK,
    &half_open_single_trial::CHECK,
    &strategy_keeps_capacity::CHECK,
    &replicas_at_least_two::CHECK,
    &disruption_budget_allows_one::CHECK,
    &spread_over_nodes::CHECK,
    &rollout_completes::CHECK,
    &ready_endpoints_keep_promise::CHECK,
    &pods_within_surge::CHECK,
    &load_kept_its_rate::CHECK,
    &watches_had_no_gap::CHECK,
    &clocks_agree::CHECK,
    &two_vantage_points::CHECK,
    &quiet_phase_answered::CHECK,
    &terminations_seen::CHECK,
    &no_foreign_disruption::CHECK,
];

/// The check of this code or slug.
pub fn find(name: &str) -> Option<&'static Check> {
    ALL.iter().copied().find(|check| check.id.eq_ignore_ascii_case(name) || check.slug == name)
}
