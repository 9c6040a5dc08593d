mod by_hand;
mod trial;

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::time::{Instant, advance};

use super::*;

#[derive(Debug)]
struct Fault(Class);

impl Classify for Fault {
    fn class(&self) -> Class {
        self.0
    }
}

const FAILED: Result<(), Fault> = Err(Fault(Class::Failure));

fn breaker(config: Config) -> Breaker {
    Breaker::new("test", config).unwrap()
}

fn watched(metrics: &Metrics, config: Config) -> Breaker {
    let breaker = breaker(config);
    metrics.watch(&breaker);
    breaker
}

fn quick() -> Config {
    Config::default()
        .open_for(Duration::from_millis(60))
        .deadline(Duration::from_millis(500))
        .slow_after(Duration::from_millis(400))
}

async fn calls(breaker: &Breaker, count: usize, result: fn() -> Result<(), Fault>) {
    for _ in 0..count {
        let _ = breaker.call(async { result() }).await;
    }
}

/// Successes, as slow as it takes to be that.
async fn slow_calls(breaker: &Breaker, count: usize) {
    let slow = || async {
        tokio::time::sleep(breaker.circuit.config.slow_from()).await;
        Ok::<_, Fault>(())
    };
    for result in futures_util::future::join_all((0..count).map(|_| breaker.call(slow()))).await {
        result.unwrap();
    }
}

async fn opened(config: Config) -> Breaker {
    opened_in(&Metrics::default(), config).await
}

async fn opened_in(metrics: &Metrics, config: Config) -> Breaker {
    let breaker = watched(metrics, config);
    calls(&breaker, 10, || FAILED).await;
    assert_eq!(breaker.state(), State::Open);
    breaker
}

/// recloser's clock is the system's, so this waits for real.
async fn open_period_over(breaker: &Breaker) {
    tokio::time::sleep(breaker.circuit.config.open_for + Duration::from_millis(20)).await;
}

fn scrape(metrics: &Metrics) -> String {
    let mut registry = prometheus_client::registry::Registry::default();
    metrics.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    text
}

#[tokio::test(start_paused = true)]
async fn the_tenth_failure_opens_and_not_the_ninth() {
    let breaker = breaker(Config::default());
    calls(&breaker, 9, || FAILED).await;
    assert_eq!(breaker.state(), State::Closed);
    calls(&breaker, 1, || FAILED).await;
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn half_of_the_calls_is_enough_and_less_is_not() {
    let exactly_half = breaker(Config::default());
    calls(&exactly_half, 5, || Ok(())).await;
    calls(&exactly_half, 5, || FAILED).await;
    assert_eq!(exactly_half.state(), State::Open);

    let just_below = breaker(Config::default());
    calls(&just_below, 501, || Ok(())).await;
    calls(&just_below, 499, || FAILED).await;
    assert_eq!(just_below.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn failures_of_more_than_ten_seconds_ago_do_not_count() {
    let breaker = breaker(Config::default());
    calls(&breaker, 9, || FAILED).await;
    advance(Duration::from_secs(11)).await;
    calls(&breaker, 1, || FAILED).await;
    assert_eq!(breaker.state(), State::Closed);
}

#[tokio::test(start_paused = true)]
async fn errors_of_the_caller_and_uncounted_ones_do_not_open() {
    let breaker = breaker(Config::default());
    calls(&breaker, 50, || Err(Fault(Class::Success))).await;
    calls(&breaker, 50, || Err(Fault(Class::NotCounted))).await;
    assert_eq!(breaker.state(), State::Closed);
    calls(&breaker, 49, || FAILED).await;
    assert_eq!(breaker.state(), State::Closed, "50 successes were counted");
    calls(&breaker, 1, || FAILED).await;
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_is_a_failure_after_the_deadline() {
    let breaker = breaker(Config::default());
    let since = Instant::now();
    let hanging = (0..10).map(|_| breaker.call(pending::<Result<(), Fault>>()));
    for result in futures_util::future::join_all(hanging).await {
        assert!(matches!(result, Err(CallError::Deadline(_))));
    }
    assert_eq!(since.elapsed().as_secs(), 3);
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn callers_who_give_up_a_slow_call_open_the_circuit_and_hasty_ones_do_not() {
    let metrics = Metrics::default();
    let breaker = watched(&metrics, Config::default());
    let give_up = async |after: u64| {
        let hanging = breaker.call(pending::<Result<(), Fault>>());
        assert!(tokio::time::timeout(Duration::from_millis(after), hanging).await.is_err());
    };
    futures_util::future::join_all((0..50).map(|_| give_up(499))).await;
    assert_eq!(breaker.state(), State::Closed);
    futures_util::future::join_all((0..10).map(|_| give_up(1_000))).await;
    assert_eq!(breaker.state(), State::Open);
    assert!(scrape(&metrics).contains(r#"breaker_calls_total{breaker="test",outcome="given_up"} 10"#));
}

#[tokio::test(start_paused = true)]
async fn while_open_nothing_is_called_and_the_rest_of_the_time_is_told() {
    let breaker = opened(Config::default()).await;
    advance(Duration::from_secs(12)).await;
    let result = breaker.call(async { panic!("called") as Result<(), Fault> }).await;
    let Err(CallError::NotPermitted { retry_after }) = result else { panic!("{result:?}") };
    assert_eq!(retry_after.as_millis(), 18_000);
}

#[tokio::test]
async fn late_answers_of_an_earlier_state_are_dropped() {
    let metrics = Metrics::default();
    let breaker = watched(&metrics, quick());
    let (finish, finished) = tokio::sync::oneshot::channel::<()>();
    let early = {
        let breaker = breaker.clone();
        tokio::spawn(async move {
            let work = async {
                let _ = finished.await;
                FAILED
            };
            let _ = breaker.call(work).await;
        })
    };
    tokio::task::yield_now().await;
    calls(&breaker, 10, || FAILED).await;
    open_period_over(&breaker).await;
    let trial = breaker.call(async {
        let _ = finish.send(());
        let _ = early.await;
        // The failure admitted before the outage has ended by now, and must not decide for this trial.
        assert_eq!(breaker.state(), State::HalfOpen);
        Ok::<_, Fault>(())
    });
    trial.await.unwrap();
    assert_eq!(breaker.state(), State::Closed);
    assert!(scrape(&metrics).contains(r#"outcome="late"} 1"#));
}

#[tokio::test]
async fn a_panic_counts_as_a_failure_and_wedges_nothing() {
    let metrics = Metrics::default();
    let breaker = opened_in(&metrics, quick()).await;
    open_period_over(&breaker).await;
    let panicking = {
        let breaker = breaker.clone();
        tokio::spawn(async move {
            breaker.call(async { panic!("on purpose") as Result<(), Fault> }).await.is_ok()
        })
    };
    assert!(panicking.await.unwrap_err().is_panic());
    assert_eq!(breaker.state(), State::Open, "the trial failed");
    assert!(scrape(&metrics).contains(r#"outcome="panic"} 1"#));
    open_period_over(&breaker).await;
    calls(&breaker, 1, || Ok(())).await;
    assert_eq!(breaker.state(), State::Closed);
}

/// The real machine on its real clock: a thousand times around, and what is told is what happened.
#[tokio::test]
async fn a_thousand_cycles_are_told_exactly() {
    let metrics = Metrics::default();
    let breaker = watched(&metrics, Config::default().open_for(Duration::from_millis(10)));
    for cycle in 0..1_000 {
        calls(&breaker, 10, || FAILED).await;
        assert_eq!(breaker.state(), State::Open, "cycle {cycle}");
        assert_eq!(ones(&metrics), [r#"breaker_state{breaker="test",state="open"} 1"#]);
        tokio::time::sleep(Duration::from_millis(10)).await;
        while breaker.state() == State::Open {
            calls(&breaker, 1, || Ok(())).await;
        }
        assert_eq!(breaker.state(), State::Closed, "cycle {cycle}");
    }
    assert_eq!(ones(&metrics), [r#"breaker_state{breaker="test",state="closed"} 1"#]);
    let text = scrape(&metrics);
    for (from, to) in [("closed", "open"), ("open", "half_open"), ("half_open", "closed")] {
        let line = format!(r#"breaker_transitions_total{{breaker="test",from="{from}",to="{to}"}} 1000"#);
        assert!(text.contains(&line), "{line} in\n{text}");
    }
}

/// The states that a scrape shows as 1.
fn ones(metrics: &Metrics) -> Vec<String> {
    let text = scrape(metrics);
    let states = text.lines().filter(|line| line.starts_with("breaker_state{") && line.ends_with(" 1"));
    states.map(str::to_owned).collect()
}

#[tokio::test]
async fn neither_a_call_nor_a_refusal_allocates() {
    let breaker = breaker(Config::default());
    let once = |result: Result<(), Fault>| {
        let _ = breaker.call(async { result }).now_or_never();
    };
    once(Ok(()));
    let closed = allocation_counter::measure(|| (0..1_000).for_each(|_| once(Ok(()))));
    assert_eq!(closed.count_total, 0, "{closed:?}");
    calls(&breaker, 10_000, || FAILED).await;
    assert_eq!(breaker.state(), State::Open);
    let open = allocation_counter::measure(|| (0..1_000).for_each(|_| once(Ok(()))));
    assert_eq!((open.count_total, open.bytes_total), (0, 0), "{open:?}");
}

#[tokio::test]
async fn failures_in_a_row_open_long_before_there_are_enough_calls() {
    let breaker = breaker(Config::default().failures_in_a_row(3));
    calls(&breaker, 2, || FAILED).await;
    calls(&breaker, 1, || Ok(())).await;
    calls(&breaker, 2, || FAILED).await;
    assert_eq!(breaker.state(), State::Closed);
    calls(&breaker, 1, || FAILED).await;
    assert_eq!(breaker.state(), State::Open);
}

#[tokio::test(start_paused = true)]
async fn slow_calls_open_where_their_share_counts_and_nowhere_else() {
    let metrics = Metrics::default();
    let shares = Config::default().slow_after(Duration::from_millis(400)).slow_rate(0.8);
    let (counting, indifferent) =
        (watched(&metrics, shares), breaker(Config::default().slow_after(Duration::from_millis(400))));
    for breaker in [&counting, &indifferent] {
        calls(breaker, 2, || Ok(())).await;
        slow_calls(breaker, 7).await;
        assert_eq!(breaker.state(), State::Closed, "seven of nine, and too few");
        slow_calls(breaker, 1).await;
    }
    assert_eq!((counting.state(), indifferent.state()), (State::Open, State::Closed));
    let text = scrape(&metrics);
    assert!(text.contains("breaker_slow_calls_total{breaker=\"test\"} 8\n"), "{text}");
    assert!(text.contains("outcome=\"success\"} 10\n"), "slow answers are answers: {text}");
}

#[tokio::test]
async fn a_trial_that_is_slow_opens_again_where_slow_calls_count() {
    let patient = quick().slow_after(Duration::from_millis(20)).deadline(Duration::from_mins(1));
    for (config, after) in [(patient.clone().slow_rate(1.0), State::Open), (patient, State::Closed)] {
        let breaker = opened(config).await;
        open_period_over(&breaker).await;
        slow_calls(&breaker, 1).await;
        assert_eq!(breaker.state(), after);
    }
}

#[tokio::test]
async fn a_call_too_many_is_not_made_and_counts_as_nothing() {
    let metrics = Metrics::default();
    let breaker = watched(&metrics, Config::default().most_at_a_time(1));
    let mut first = Box::pin(breaker.call(pending::<Result<(), Fault>>()));
    assert!(futures_util::poll!(&mut first).is_pending());
    let second = breaker.call(async { panic!("made") as Result<(), Fault> }).await;
    assert!(matches!(second, Err(CallError::Full)));
    drop(first);
    assert!(breaker.call(async { Ok::<_, Fault>(()) }).await.is_ok(), "a place is given back");
    let text = scrape(&metrics);
    assert!(text.contains("breaker_full_total{breaker=\"test\"} 1\n"), "{text}");
    assert!(text.contains("outcome=\"success\"} 1\n") && text.contains("outcome=\"failure\"} 0\n"), "{text}");
}
