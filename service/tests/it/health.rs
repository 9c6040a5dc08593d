use std::time::{Duration, Instant};

use serde_json::json;

use super::harness::{Answer, Mode, World, eventually, get, seconds, until};

#[tokio::test(flavor = "multi_thread")]
async fn a_start_without_backends_recovers_by_itself() {
    let world = World::with(Mode::Refuse, Mode::Refuse).await;
    let service = world.start(&[]);
    service.until_listening().await;
    tokio::time::sleep(seconds(1)).await;
    let live = service.get("/health").await;
    assert_eq!((live.status.as_u16(), &live.json()["status"]), (200, &"ok".into()));
    assert!(live.json()["uptime"].is_u64());
    let ready = service.readiness().await.unwrap();
    assert_eq!(ready.status, 503);
    let error = ready.json()["error"].as_str().unwrap().to_owned();
    assert!(error.contains("postgres: ") && error.contains("redis: "), "{error}");
    world.postgres.set(Mode::Forward);
    eventually("only redis is missing", async || {
        let error = service.readiness().await.unwrap().json()["error"].to_string();
        error.contains("redis") && !error.contains("postgres")
    })
    .await;
    world.redis.set(Mode::Forward);
    service.until_ready().await;
    assert_eq!(service.post("/api/users", r#"{"name":"Ada","email":"a@b"}"#).await.status, 201);
}

/// What stands in the answer, by its names.
fn names(answer: &Answer) -> Vec<String> {
    answer.json().as_object().unwrap().keys().cloned().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answers_of_probes_have_the_words_of_the_contract_and_no_others() {
    let world = World::new().await;
    let service = world.ready(&[]).await;
    for port in [service.port, service.management] {
        let ask = async |path: &str| get(port, path).await.expect("an answer");
        let live = ask("/health").await;
        assert_eq!(
            (live.status.as_u16(), names(&live)),
            (200, vec!["status".to_owned(), "uptime".to_owned()])
        );
        assert_eq!((&live.json()["status"], live.json()["uptime"].is_u64()), (&"ok".into(), true));
        assert_eq!(ask("/ready").await.json(), json!({ "status": "ready" }));
    }
    world.redis.set(Mode::Refuse);
    service.until_unready().await;
    let away = service.readiness().await.unwrap();
    assert_eq!(
        (names(&away), &away.json()["status"]),
        (vec!["error".to_owned(), "status".to_owned()], &"unavailable".into())
    );
    assert!(away.json()["error"].as_str().unwrap().starts_with("redis: "), "{}", away.text());
    service.signal("TERM");
    eventually("leaving", async || {
        let answer = service.readiness().await.expect("still listening");
        answer.json() == json!({ "status": "draining", "error": "shutting down" })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_dependency_away_makes_unready_within_three_seconds_and_back_ready() {
    let world = World::new().await;
    let service = world.ready(&[]).await;
    for (name, gate) in [("postgres", &world.postgres), ("redis", &world.redis)] {
        for away in [Mode::Refuse, Mode::Hang] {
            gate.set(away);
            let since = Instant::now();
            service.until_unready().await;
            assert!(since.elapsed() < seconds(4), "{name} {away:?}: {:?}", since.elapsed());
            // The fastest of five: a busy machine delays some, waiting for a ping would delay each.
            let mut fastest = Duration::MAX;
            for _ in 0..5 {
                let asked = Instant::now();
                service.readiness().await.unwrap();
                fastest = fastest.min(asked.elapsed());
            }
            assert!(fastest.as_millis() < 100, "readiness waits for nobody: {fastest:?}");
            let answer = service.readiness().await.unwrap();
            assert!(answer.json()["error"].as_str().unwrap().starts_with(name), "{}", answer.text());
            assert_eq!(service.get("/health").await.status, 200);
            assert_eq!(get(service.management, "/health").await.unwrap().status, 200);
            gate.set(Mode::Forward);
            service.until_ready().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_optional_may_be_away_and_what_is_required_may_not() {
    let world = World::new().await;
    let service = world.ready(&[("READINESS_REDIS", "optional")]).await;
    world.redis.set(Mode::Refuse);
    let text = async || service.readiness().await.unwrap().text();
    eventually("degraded", async || text().await.contains("degraded")).await;
    assert_eq!(service.readiness().await.unwrap().status, 200);
    world.redis.set(Mode::Forward);
    eventually("both are there", async || text().await.contains(r#""ready""#)).await;
    world.postgres.set(Mode::Refuse);
    service.until_unready().await;
    let verbose = get(service.management, "/ready?verbose").await.unwrap().json();
    let required = |name: &str| verbose["dependencies"][name]["required"].clone();
    assert_eq!((required("postgres"), required("redis")), (true.into(), false.into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_optional_is_waited_for_once() {
    let world = World::with(Mode::Forward, Mode::Refuse).await;
    let service = world.start(&[("READINESS_REDIS", "optional")]);
    eventually("postgres is there", async || {
        let answer = service.readiness().await;
        answer.is_some_and(|answer| answer.status == 503 && !answer.text().contains("postgres"))
    })
    .await;
    world.redis.set(Mode::Forward);
    service.until_ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_management_port_sees_a_runtime_whose_workers_are_all_stuck() {
    let world = World::new().await;
    let service = world.ready(&[("FLAW", "stuck")]).await;
    let management = service.management;
    assert_eq!(get(management, "/health").await.unwrap().status, 200);
    tokio::spawn(get(service.port, "/flaw/stuck"));
    let since = Instant::now();
    until("503", seconds(5), async || get(management, "/health").await.unwrap().status == 503).await;
    assert!(since.elapsed().as_secs_f64() < 3.6, "{:?}", since.elapsed());
    let answer = get(management, "/health").await.unwrap();
    assert_eq!(answer.json()["status"], "stuck");
    assert!(service.metrics().await.contains("health_dependency_up"), "metrics are still served");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_verbose_view_is_for_the_management_port_only() {
    let world = World::new().await;
    let service = world.ready(&[]).await;
    let verbose = get(service.management, "/ready?verbose").await.unwrap().json();
    assert_eq!(verbose["dependencies"]["postgres"]["status"], "up");
    assert_eq!(verbose["breaker"]["postgres"], "closed");
    assert!(service.get("/ready?verbose").await.json()["dependencies"].is_null());
}
