use std::time::{Duration, Instant};

use super::harness::{Collector, Mode, Service, World, eventually, get, seconds};

#[tokio::test(flavor = "multi_thread")]
async fn the_bare_build_has_users_and_nothing_else() {
    let world = World::new().await;
    let mut service = world.start(&[("FLAW", "bare"), ("SEED_USERS", "5")]);
    eventually("serving", async || get(service.port, "/api/users/1").await.is_some()).await;
    assert_eq!(service.get("/api/users/1").await.json()["id"], 1);
    for path in ["/health", "/ready", "/metrics"] {
        assert_eq!(service.get(path).await.status, 404, "{path}");
    }
    assert!(get(service.management, "/health").await.is_none(), "no management port");
    assert_eq!(service.get("/api/users/1").await.header("x-served-by"), None);
    service.signal("TERM");
    let (status, after) = service.ended().await;
    // Not PID 1 here, so the default action applies: no handler, no exit code.
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(15));
    assert!(after < seconds(1));
}

// The others are shown beside the same build without a mistake, so that it is the mistake that shows.

#[tokio::test(flavor = "multi_thread")]
async fn deaf_refuses_new_connections_at_the_signal_and_finishes_what_is_in_flight() {
    for (flaw, accepts) in [("", true), ("deaf", false)] {
        let world = World::new().await;
        let patient = [("DATABASE_ACQUIRE_TIMEOUT", "9s"), ("BREAKER_DEADLINE", "9s"), ("SEED_USERS", "5")];
        let mut service =
            world.ready(&[&patient[..], &[("FLAW", flaw), ("SHUTDOWN_LAMEDUCK", "2s")]].concat()).await;
        world.postgres.set(Mode::Hang);
        let in_flight = tokio::spawn(get(service.port, "/api/users/1"));
        tokio::time::sleep(Duration::from_millis(700)).await;
        service.signal("TERM");
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(get(service.port, "/health").await.is_some(), accepts, "{flaw}");
        assert_eq!(get(service.management, "/health").await.unwrap().status, 200, "{flaw}");
        world.postgres.set(Mode::Forward);
        let answer = in_flight.await.unwrap().expect("an answer");
        assert_eq!((answer.status.as_u16(), answer.header("connection")), (200, Some("close")), "{flaw}");
        assert_eq!(service.ended().await.0.code(), Some(0), "{flaw}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_ready_is_ready_without_redis_and_not_without_postgres() {
    for (flaw, status) in [("", 503), ("half-ready", 200)] {
        let world = World::new().await;
        let service = world.ready(&[("FLAW", flaw)]).await;
        world.redis.set(Mode::Refuse);
        tokio::time::sleep(seconds(4)).await;
        assert_eq!(service.readiness().await.unwrap().status, status, "{flaw}");
        world.redis.set(Mode::Forward);
        service.until_ready().await;
        world.postgres.set(Mode::Refuse);
        service.until_unready().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn late_deadline_answers_in_time_and_counts_only_what_comes_back_as_an_error() {
    let state = async |service: &Service, state| {
        let line = format!(r#"breaker_state{{breaker="postgres",state="{state}"}} 1"#);
        service.metrics().await.contains(&line)
    };
    for (flaw, after_the_hang) in [("", "open"), ("late-deadline", "closed")] {
        let world = World::new().await;
        // A pool that gives up before the deadline would tell the breaker in its place.
        let hasty = [
            ("BREAKER_DEADLINE", "700ms"),
            ("DATABASE_ACQUIRE_TIMEOUT", "300ms"),
            ("SEED_USERS", "5"),
            ("CACHE_TIMEOUT", "2s"),
        ];
        let service = world.ready(&[&hasty[..], &[("FLAW", flaw)]].concat()).await;
        service.until_copied().await;
        world.postgres.set(Mode::Hang);
        let asked = Instant::now();
        let answers = futures_util::future::join_all((0..40).map(|_| service.get("/api/users/1"))).await;
        assert!(asked.elapsed() < seconds(3), "{flaw}: {:?}", asked.elapsed());
        assert!(answers.iter().all(|answer| answer.header("x-cache") == Some("stale")), "{flaw}");
        assert!(state(&service, after_the_hang).await, "{flaw}: {}", service.metrics().await);
        world.postgres.set(Mode::Refuse);
        for _ in 0..20 {
            service.get("/api/users/2").await;
        }
        assert!(state(&service, "open").await, "{flaw}: {}", service.metrics().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_flush_exits_as_always_and_takes_the_last_spans_along() {
    for (flaw, arrive) in [("", true), ("no-flush", false)] {
        let (collector, world) = (Collector::start().await, World::new().await);
        let settings = [
            ("FLAW", flaw),
            ("OTEL_ENDPOINT", collector.url.as_str()),
            ("OTEL_BSP_SCHEDULE_DELAY", "60000"),
            ("SAMPLE_RATIO", "1"),
            ("SHUTDOWN_LAMEDUCK", "500ms"),
            ("SEED_USERS", "5"),
        ];
        let mut service = world.ready(&settings).await;
        assert_eq!(service.get("/api/users/3").await.status, 200);
        service.signal("TERM");
        let (status, after) = service.ended().await;
        assert_eq!(status.code(), Some(0), "{flaw}");
        assert!((0.4..3.0).contains(&after.as_secs_f64()), "{flaw}: {after:?}");
        assert_eq!(!collector.all().is_empty(), arrive, "{flaw}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn untold_serves_on_after_the_signal_and_announces_nothing() {
    for (flaw, announced) in [("", Some("close")), ("untold", None)] {
        let world = World::new().await;
        let service = world.ready(&[("FLAW", flaw), ("SHUTDOWN_LAMEDUCK", "2s"), ("SEED_USERS", "5")]).await;
        service.signal("TERM");
        service.until_unready().await;
        let answer = get(service.port, "/api/users/1").await.expect("an answer");
        assert_eq!((answer.status.as_u16(), answer.header("connection")), (200, announced), "{flaw}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn drops_one_drops_one_request_after_the_signal() {
    for (flaw, dropped) in [("", 0), ("drops-one", 1)] {
        let world = World::new().await;
        let service = world.ready(&[("FLAW", flaw), ("SHUTDOWN_LAMEDUCK", "4s"), ("SEED_USERS", "5")]).await;
        service.signal("TERM");
        service.until_unready().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut lost = 0;
        for _ in 0..5 {
            lost += usize::from(get(service.port, "/api/users/1").await.is_none());
        }
        assert_eq!(lost, dropped, "{flaw}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn not_found_opens_the_circuit_for_users_who_do_not_exist() {
    for (flaw, state) in [("", "closed"), ("not-found", "open")] {
        let world = World::new().await;
        let service = world.ready(&[("FLAW", flaw)]).await;
        for _ in 0..20 {
            service.get("/api/users/7").await;
        }
        let line = format!(r#"breaker_state{{breaker="postgres",state="{state}"}} 1"#);
        assert!(service.metrics().await.contains(&line), "{flaw}: {}", service.metrics().await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_mistake_is_named_with_those_that_are_known() {
    let world = World::new().await;
    let mut service = world.start(&[("FLAW", "deef")]);
    assert_eq!(service.ended().await.0.code(), Some(1));
    assert!(
        service.log().contains(r#"FLAW: read "deef", expected bare, stuck, deaf, "#),
        "{}",
        service.log()
    );
}
