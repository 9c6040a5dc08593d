use std::time::Instant;

use futures_util::future::join_all;
use serde_json::json;

use super::harness::{Mode, Service, WRITTEN, World, eventually, get, request, seconds, until};

async fn seeded(settings: &[(&str, &str)]) -> (World, Service) {
    let world = World::new().await;
    let service = world.ready(&[&[("SEED_USERS", "20"), ("CACHE_TIMEOUT", "2s")], settings].concat()).await;
    // Once read, a user has a copy in Redis.
    service.until_copied().await;
    (world, service)
}

async fn open(service: &Service) {
    eventually("open", async || {
        service.get("/api/users/2").await;
        service.metric(r#"breaker_state{breaker="postgres",state="open"}"#).await == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fallbacks_are_answered_and_marked_while_postgres_is_away() {
    let (world, service) = seeded(&[]).await;
    world.postgres.set(Mode::Refuse);
    for circuit in ["closed", "open"] {
        let cached = service.get("/api/users/1").await;
        assert_eq!((cached.status.as_u16(), &cached.json()["id"]), (200, &json!(1)), "{circuit}");
        assert_eq!(cached.header("x-cache"), Some("stale"));
        assert!(cached.header("age").unwrap().parse::<u64>().unwrap() < 60);

        let unknown = service.get("/api/users/2").await;
        assert_eq!(unknown.status, 503);
        assert_eq!(unknown.header("content-type"), Some("application/problem+json"));
        let retry_after: u64 = unknown.header("retry-after").unwrap().parse().unwrap();
        assert!((if circuit == "open" { 20..=33 } else { 1..=2 }).contains(&retry_after), "{retry_after}");

        let list = service.get("/api/users").await;
        assert_eq!((list.status.as_u16(), list.json()), (200, json!([])));
        assert_eq!(list.header("x-cache"), Some("empty"));

        let post = service.post("/api/users", r#"{"name":"Ada","email":"a@b"}"#).await;
        assert_eq!(post.status, 503);
        assert!(post.header("retry-after").is_some());
        if circuit == "closed" {
            open(&service).await;
        }
    }
    let metrics = service.metrics().await;
    for line in [
        r#"fallback_total{kind="cached"} 2"#,
        r#"fallback_total{kind="empty"} 2"#,
        r#"breaker_transitions_total{breaker="postgres",from="closed",to="open"} 1"#,
        r#"breaker_not_permitted_total{breaker="postgres"} "#,
        r#"breaker_state{breaker="postgres",state="closed"} 0"#,
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn while_open_the_database_is_left_alone_and_one_trial_closes_it() {
    // Health asks only at the start, so that every later connection is a call of ours.
    let slow_health = [("HEALTH_INTERVAL", "5m"), ("BREAKER_OPEN_FOR", "4s")];
    let (world, service) = seeded(&slow_health).await;
    world.postgres.set(Mode::Refuse);
    open(&service).await;
    let opened = Instant::now();
    let connections = world.postgres.accepted();
    while opened.elapsed() < seconds(1) {
        assert_eq!(service.get("/api/users/2").await.status, 503);
    }
    assert_eq!(world.postgres.accepted(), connections, "no call is made while open");
    tokio::time::sleep(seconds(4).saturating_sub(opened.elapsed())).await;
    for _ in 0..20 {
        assert_eq!(service.get("/api/users/2").await.status, 503);
    }
    assert_eq!(world.postgres.accepted(), connections + 1, "one trial, which fails");
    world.postgres.set(Mode::Forward);
    tokio::time::sleep(seconds(4)).await;
    let answers = join_all((0..50).map(|_| service.get("/api/users/2"))).await;
    assert!(answers.iter().any(|answer| answer.status == 200));
    assert_eq!(service.get("/api/users/2").await.status, 200);
    assert!(service.metrics().await.contains(r#"from="half_open",to="closed"} 1"#));
}

/// Counted by Postgres: calls that wait for a lock there.
#[tokio::test(flavor = "multi_thread")]
async fn right_after_an_outage_many_readers_of_one_user_are_one_call() {
    let (world, service) = seeded(&[("BREAKER_OPEN_FOR", "500ms"), ("BREAKER_DEADLINE", "9s")]).await;
    world.postgres.set(Mode::Refuse);
    open(&service).await;
    world.postgres.set(Mode::Forward);
    eventually("closed", async || service.get("/api/users/3").await.status == 200).await;
    let (mut holder, other) = (world.connect().await, tokio::sync::Mutex::new(world.connect().await));
    let mut lock = sqlx::Connection::begin(&mut holder).await.unwrap();
    sqlx::query("LOCK TABLE users IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();
    let waiting = async || -> i64 {
        let waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'users'::regclass";
        sqlx::query_scalar(waiting).fetch_one(&mut *other.lock().await).await.unwrap()
    };
    let asking = futures_util::future::join_all((0..40).map(|_| service.get("/api/users/4")));
    let counting = async {
        until("a call waits", seconds(4), async || waiting().await > 0).await;
        tokio::time::sleep(seconds(1)).await;
        let waiting = waiting().await;
        lock.rollback().await.unwrap();
        waiting
    };
    let (answers, waiting) = tokio::join!(asking, counting);
    assert_eq!(waiting, 1, "calls at the database");
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.header("x-cache").is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_hangs_costs_at_most_the_deadline() {
    let (world, service) = seeded(&[("BREAKER_DEADLINE", "700ms"), ("DATABASE_ACQUIRE_TIMEOUT", "5s")]).await;
    world.postgres.set(Mode::Hang);
    let asked = Instant::now();
    let answers = join_all((0..12).map(|_| service.get("/api/users/1"))).await;
    // Far below the 5 s of the pool.
    assert!(asked.elapsed() < seconds(3), "{:?}", asked.elapsed());
    assert!(answers.iter().all(|answer| answer.header("x-cache") == Some("stale")));
    let metrics = service.metrics().await;
    assert!(metrics.contains(r#"breaker_state{breaker="postgres",state="open"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"breaker_calls_total{breaker="postgres",outcome="deadline"}"#), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_that_had_to_wait_for_redis_are_not_written_any_more() {
    let (world, service) = seeded(&[("CACHE_REFRESH", "100ms"), ("CACHE_TIMEOUT", "1s")]).await;
    let before = service.metric(r#"cache_writes_total{outcome="late"}"#).await;
    let written = service.metric(WRITTEN).await;
    world.redis.set(Mode::Hang);
    // Together, so that all the others wait behind the first.
    let paths: Vec<_> = (2..=20).map(|id| format!("/api/users/{id}")).collect();
    join_all(paths.iter().map(|path| service.get(path))).await;
    let late = async || service.metric(r#"cache_writes_total{outcome="late"}"#).await;
    eventually("late copies are dropped", async || late().await >= before + 15).await;
    world.redis.set(Mode::Forward);
    service.until_ready().await;
    assert_eq!(service.metric(WRITTEN).await, written);
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_away_does_not_disturb_reads_and_writes() {
    let (world, service) = seeded(&[("CACHE_TIMEOUT", "1s")]).await;
    for away in [Mode::Hang, Mode::Refuse] {
        world.redis.set(away);
        let mut times = Vec::new();
        for id in 1..=20 {
            let asked = Instant::now();
            assert_eq!(service.get(&format!("/api/users/{id}")).await.status, 200);
            times.push(asked.elapsed());
        }
        times.sort();
        // The median, since a busy machine may delay some; waiting for Redis would delay each by up to 1 s.
        assert!(times[10].as_millis() < 500, "{away:?}: {times:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_whose_call_was_given_up_is_not_used_again() {
    let single = [("DATABASE_MAX_CONNECTIONS", "1"), ("BREAKER_DEADLINE", "500ms")];
    let (world, service) = seeded(&single).await;
    let mut holder = world.connect().await;
    let mut lock = sqlx::Connection::begin(&mut holder).await.unwrap();
    sqlx::query("LOCK TABLE orders IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();
    assert_eq!(service.get("/api/users/1/orders").await.status, 503);
    // Postgres still waits for the lock on behalf of that call; the only connection of the pool must be another one.
    let user = service.get("/api/users/1").await;
    assert_eq!((user.status.as_u16(), user.header("x-cache")), (200, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn circuits_are_set_by_hand_only_where_drills_are_on() {
    let (_world, service) = seeded(&[("DRILLS", "true")]).await;
    let set = async |name: &str, state: &'static str| {
        let path = format!("/breakers/{name}/state");
        request(service.management, http::Method::PUT, &path, state, &[]).await.unwrap()
    };
    assert_eq!(set("postgres", "forced_open").await.status, 200);
    let stale = service.get("/api/users/1").await;
    assert_eq!((stale.status.as_u16(), stale.header("x-cache")), (200, Some("stale")));
    assert!(service.metrics().await.contains(r#"breaker_state{breaker="postgres",state="forced_open"} 1"#));
    assert_eq!(set("postgres", "open").await.status, 400);
    assert_eq!(set("redis", "closed").await.status, 404);
    assert_eq!(set("postgres", "closed").await.status, 200);
    assert_eq!(service.get("/api/users/1").await.header("x-cache"), None);
    let listed = get(service.management, "/breakers").await.unwrap().json();
    assert_eq!(listed, json!({ "postgres": "closed" }));

    let (_world, plain) = seeded(&[]).await;
    for port in [plain.management, plain.port] {
        assert_eq!(get(port, "/breakers").await.unwrap().status, 404);
    }
}
