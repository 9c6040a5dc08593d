//! States that are set by hand, for a drill.

use super::*;

#[tokio::test(start_paused = true)]
async fn states_set_by_hand_stay_until_another_is_set() {
    let metrics = Metrics::default();
    let breaker = opened_in(&metrics, Config::default()).await;
    assert!(breaker.force(State::Disabled));
    calls(&breaker, 100, || FAILED).await;
    assert_eq!(breaker.state(), State::Disabled, "calls pass and do not count");
    assert!(breaker.force(State::MetricsOnly));
    calls(&breaker, 25, || FAILED).await;
    assert_eq!(breaker.state(), State::MetricsOnly);
    assert!(scrape(&metrics).contains(r#"breaker_withheld_openings_total{breaker="test"} 2"#));
    assert!(breaker.force(State::ForcedOpen));
    advance(Duration::from_hours(1)).await;
    let refused = breaker.call(async { panic!("called") as Result<(), Fault> }).await;
    assert!(matches!(refused, Err(CallError::NotPermitted { .. })));
    assert!(!breaker.force(State::Open) && !breaker.force(State::HalfOpen));
    assert!(breaker.force(State::Closed));
    calls(&breaker, 9, || FAILED).await;
    assert_eq!(breaker.state(), State::Closed, "nothing is left of before");
    calls(&breaker, 1, || FAILED).await;
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_closed_circuit_that_is_set_to_closed_begins_anew() {
    let metrics = Metrics::default();
    let breaker = watched(&metrics, Config::default().failures_in_a_row(12));
    for _ in 0..3 {
        calls(&breaker, 9, || FAILED).await;
        assert!(breaker.force(State::Closed));
        assert_eq!(breaker.state(), State::Closed);
    }
    let told = scrape(&metrics);
    let moved =
        told.lines().find(|line| line.starts_with("breaker_transitions_total") && !line.ends_with(" 0"));
    assert_eq!(moved, None, "nothing has changed for anybody who looks on");
    calls(&breaker, 10, || FAILED).await;
    assert_eq!(breaker.state(), State::Open);
}
