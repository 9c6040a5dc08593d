//! All checks, in report order. List, docs and tests derive from this slice.

mod abandoned_calls_of_working_store_tolerated;
mod abandoned_calls_open;
mod agents_added_no_latency;
mod breaker_declared;
mod brief_hiccup_tolerated;
mod circuit_opens_as_declared;
mod client_errors_not_counted;
mod clocks_agree;
mod close_announced_before_closing;
mod connection_limit_survived;
mod connections_came_through;
mod database_span_in_trace;
mod disruption_budget_allows_one;
mod drain_covers_propagation;
mod exit_without_collector;
mod exits_zero_within_grace;
mod failures_above_rate_open;
mod failures_below_rate_tolerated;
mod fallback_within_milliseconds;
mod faults_took_effect;
mod fresh_again_after_outage;
mod grace_covers_shutdown;
mod half_open_single_trial;
mod in_flight_completes;
mod interposition_undisturbed;
mod liveness_answers;
mod liveness_independent_of_dependencies;
mod liveness_probe_declared;
mod load_kept_its_rate;
mod no_credentials_in_spans;
mod no_foreign_disruption;
mod no_opening_during_rolls;
mod no_orphaned_span;
mod no_readiness_flap;
mod no_request_lost_during_rollout;
mod no_request_outwaits_deadline;
mod no_restart;
mod no_slower_without_collector;
mod outgoing_call_carries_trace;
mod pods_within_surge;
mod pool_back_after_fail_over;
mod probe_timings_sane;
mod questions_are_answered;
mod quiet_phase_answered;
mod read_only_cache_hurts_nobody;
mod readiness_ends_at_termination;
mod readiness_follows_dependencies;
mod readiness_probe_declared;
mod readiness_returns;
mod ready_endpoints_keep_promise;
mod ready_means_answering;
mod ready_while_only_slow;
mod recovery_without_stampede;
mod replicas_at_least_two;
mod rollout_completes;
mod sampled_requests_traced;
mod service_version_on_spans;
mod settings_are_the_defaults;
mod shares_were_met;
mod slow_below_deadline_tolerated;
mod spread_over_nodes;
mod statements_stop_while_open;
mod strategy_keeps_capacity;
mod terminations_seen;
mod total_loss_answered;
mod traces_survive_their_pod;
mod trial_comes_when_due;
mod two_vantage_points;
mod users_are_answered;
mod watches_had_no_gap;

use crate::check::Check;

/// Every check; the order is the order of reports and docs.
pub const ALL: &[&Check] = &[
    &sampled_requests_traced::CHECK,
    &database_span_in_trace::CHECK,
    &traces_survive_their_pod::CHECK,
    &service_version_on_spans::CHECK,
    &outgoing_call_carries_trace::CHECK,
    &no_orphaned_span::CHECK,
    &no_slower_without_collector::CHECK,
    &no_credentials_in_spans::CHECK,
    &readiness_probe_declared::CHECK,
    &liveness_probe_declared::CHECK,
    &probe_timings_sane::CHECK,
    &no_readiness_flap::CHECK,
    &no_restart::CHECK,
    &users_are_answered::CHECK,
    &ready_means_answering::CHECK,
    &liveness_answers::CHECK,
    &readiness_ends_at_termination::CHECK,
    &readiness_follows_dependencies::CHECK,
    &readiness_returns::CHECK,
    &liveness_independent_of_dependencies::CHECK,
    &ready_while_only_slow::CHECK,
    &grace_covers_shutdown::CHECK,
    &no_request_lost_during_rollout::CHECK,
    &exits_zero_within_grace::CHECK,
    &close_announced_before_closing::CHECK,
    &in_flight_completes::CHECK,
    &drain_covers_propagation::CHECK,
    &exit_without_collector::CHECK,
    &breaker_declared::CHECK,
    &circuit_opens_as_declared::CHECK,
    &half_open_single_trial::CHECK,
    &trial_comes_when_due::CHECK,
    &statements_stop_while_open::CHECK,
    &fallback_within_milliseconds::CHECK,
    &no_request_outwaits_deadline::CHECK,
    &no_opening_during_rolls::CHECK,
    &brief_hiccup_tolerated::CHECK,
    &recovery_without_stampede::CHECK,
    &fresh_again_after_outage::CHECK,
    &total_loss_answered::CHECK,
    &failures_below_rate_tolerated::CHECK,
    &failures_above_rate_open::CHECK,
    &slow_below_deadline_tolerated::CHECK,
    &client_errors_not_counted::CHECK,
    &abandoned_calls_open::CHECK,
    &abandoned_calls_of_working_store_tolerated::CHECK,
    &pool_back_after_fail_over::CHECK,
    &connection_limit_survived::CHECK,
    &read_only_cache_hurts_nobody::CHECK,
    &strategy_keeps_capacity::CHECK,
    &replicas_at_least_two::CHECK,
    &disruption_budget_allows_one::CHECK,
    &spread_over_nodes::CHECK,
    &settings_are_the_defaults::CHECK,
    &questions_are_answered::CHECK,
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
    &connections_came_through::CHECK,
    &faults_took_effect::CHECK,
    &agents_added_no_latency::CHECK,
    &interposition_undisturbed::CHECK,
    &shares_were_met::CHECK,
];

/// The check of this code or slug.
pub fn find(name: &str) -> Option<&'static Check> {
    ALL.iter().copied().find(|check| check.id.eq_ignore_ascii_case(name) || check.slug == name)
}
