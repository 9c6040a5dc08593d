use super::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_thousand_callers_make_one_trial() {
    // The trial waits for all the others, on a machine that may have other work.
    let patient = || quick().deadline(Duration::from_mins(1)).slow_after(Duration::from_secs(50));
    for _ in 0..5 {
        let breaker = opened(patient()).await;
        open_period_over(&breaker).await;
        let made = Arc::new(AtomicUsize::new(0));
        let release = Arc::new(tokio::sync::Semaphore::new(0));
        let mut callers = tokio::task::JoinSet::new();
        for _ in 0..1_000 {
            let (breaker, made, release) = (breaker.clone(), Arc::clone(&made), Arc::clone(&release));
            callers.spawn(async move {
                let work = async {
                    made.fetch_add(1, Ordering::SeqCst);
                    let _ = release.acquire().await;
                    Ok::<_, Fault>(())
                };
                breaker.call(work).await.is_ok()
            });
        }
        for _ in 0..999 {
            assert!(!callers.join_next().await.unwrap().unwrap());
        }
        assert_eq!(breaker.state(), State::HalfOpen);
        release.add_permits(1);
        assert!(callers.join_next().await.unwrap().unwrap());
        assert_eq!(made.load(Ordering::SeqCst), 1);
        assert_eq!(breaker.state(), State::Closed);
    }
}

#[tokio::test]
async fn a_failed_trial_opens_again_for_the_whole_period() {
    let metrics = Metrics::default();
    let breaker = opened_in(&metrics, quick()).await;
    open_period_over(&breaker).await;
    calls(&breaker, 1, || FAILED).await;
    assert_eq!(breaker.state(), State::Open);
    let result = breaker.call(async { Ok::<_, Fault>(()) }).await;
    assert!(matches!(result, Err(CallError::NotPermitted { .. })));
    open_period_over(&breaker).await;
    calls(&breaker, 1, || Ok(())).await;
    assert_eq!(breaker.state(), State::Closed);
    let metrics = scrape(&metrics);
    for line in [
        r#"breaker_transitions_total{breaker="test",from="closed",to="open"} 1"#,
        r#"breaker_transitions_total{breaker="test",from="open",to="half_open"} 2"#,
        r#"breaker_transitions_total{breaker="test",from="half_open",to="open"} 1"#,
        r#"breaker_transitions_total{breaker="test",from="half_open",to="closed"} 1"#,
        r#"breaker_state{breaker="test",state="closed"} 1"#,
        r#"breaker_state{breaker="test",state="open"} 0"#,
        r#"breaker_state{breaker="test",state="half_open"} 0"#,
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
}

#[tokio::test]
async fn a_cancelled_trial_decides_nothing_and_makes_room() {
    let breaker = opened(quick()).await;
    open_period_over(&breaker).await;
    let trial = breaker.call(pending::<Result<(), Fault>>());
    assert!(tokio::time::timeout(Duration::from_millis(10), trial).await.is_err());
    assert_eq!(breaker.state(), State::HalfOpen);
    calls(&breaker, 1, || Ok(())).await;
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test]
async fn a_trial_whose_caller_gives_up_late_is_a_failure() {
    let breaker = opened(quick().slow_after(Duration::from_millis(20))).await;
    open_period_over(&breaker).await;
    let trial = breaker.call(pending::<Result<(), Fault>>());
    assert!(tokio::time::timeout(Duration::from_millis(30), trial).await.is_err());
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test]
async fn an_uncounted_trial_decides_nothing() {
    let breaker = opened(quick()).await;
    open_period_over(&breaker).await;
    calls(&breaker, 3, || Err(Fault(Class::NotCounted))).await;
    assert_eq!(breaker.state(), State::HalfOpen);
}

#[tokio::test]
async fn a_hanging_trial_ends_at_the_deadline() {
    let breaker = opened(quick()).await;
    open_period_over(&breaker).await;
    let result = breaker.call(pending::<Result<(), Fault>>()).await;
    assert!(matches!(result, Err(CallError::Deadline(_))));
    assert_eq!(breaker.state(), State::Open);
}
