use std::collections::BTreeSet;

use serde_json::json;

use super::harness::{Mode, World, eventually, get};

#[tokio::test(flavor = "multi_thread")]
async fn users_are_created_found_and_listed() {
    let world = World::new().await;
    let service = world.ready(&[("POD_NAME", "users-abc"), ("SERVICE_VERSION", "9.9.9")]).await;
    let created = service.post("/api/users", r#"{"name":"Ada","email":"ada@example.com"}"#).await;
    assert_eq!(created.status, 201);
    assert_eq!(created.header("location"), Some("/api/users/1"));
    let user = json!({ "id": 1, "name": "Ada", "email": "ada@example.com" });
    assert_eq!(created.json(), user);

    let found = service.get("/api/users/1").await;
    assert_eq!((found.status.as_u16(), found.json()), (200, user.clone()));
    assert_eq!(found.header("x-served-by"), Some("users-abc"));
    assert_eq!(found.header("x-version"), Some("9.9.9"));
    assert_eq!(found.header("x-cache"), None);
    assert_eq!(service.get("/api/users").await.json(), json!([user]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_404_and_what_is_taken_is_409() {
    let world = World::new().await;
    let service = world.ready(&[]).await;
    for path in ["/api/users/12345", "/api/users/12345/orders", "/nothing"] {
        let answer = service.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
    }
    let body = r#"{"name":"Ada","email":"ada@example.com"}"#;
    assert_eq!(service.post("/api/users", body).await.status, 201);
    assert_eq!(service.post("/api/users", body).await.status, 409);
    let answer = service.post("/api/users/1", "").await;
    assert_eq!(answer.status, 405);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_is_a_problem_that_names_the_field() {
    let world = World::new().await;
    let service = world.ready(&[]).await;
    for (path, field) in [
        ("/api/users/0", "id"),
        ("/api/users/-1", "id"),
        ("/api/users/x", "id"),
        ("/api/users/99999999999999999999", "id"),
        ("/api/users/%FF", "id"),
        ("/api/users/x/orders", "id"),
        ("/api/users?limit=0", "limit"),
        ("/api/users?limit=101", "limit"),
    ] {
        let answer = service.get(path).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (400, &json!(400)), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.json()["errors"][0]["field"], field, "{path}");
    }
    for (body, named) in [
        ("", "EOF"),
        ("[]", "expected"),
        (r#"{"name":"Ada"}"#, "email"),
        (r#"{"email":"a@b"}"#, "name"),
        (r#"{"name":5,"email":"a@b"}"#, "name"),
        (r#"{"name":"Ada","email":"nope"}"#, "email"),
        (r#"{"name":" ","email":"a@b"}"#, "name"),
        (r#"{"name":"Ada","email":"a@b","admin":true}"#, "admin"),
    ] {
        let answer = service.post("/api/users", body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        let text = answer.text();
        assert!(text.contains(named), "{body}: {text}");
    }
    let large = format!(r#"{{"name":"{}","email":"a@b"}}"#, "x".repeat(100_000));
    assert_eq!(service.post("/api/users", &large).await.status, 413);
    assert_eq!(service.get("/api/users?limit=x").await.status, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_comes_in_pages_of_at_most_a_hundred() {
    let world = World::new().await;
    let service = world.ready(&[("SEED_USERS", "150")]).await;
    let ids = |answer: serde_json::Value| -> Vec<i64> {
        answer.as_array().unwrap().iter().map(|user| user["id"].as_i64().unwrap()).collect()
    };
    assert_eq!(ids(service.get("/api/users").await.json()), (1..=100).collect::<Vec<_>>());
    assert_eq!(ids(service.get("/api/users?after=100&limit=3").await.json()), [101, 102, 103]);
    let created = service.post("/api/users", r#"{"name":"Ada","email":"ada@example.com"}"#).await;
    assert_eq!(created.json()["id"], 151, "ids go on after the demo users");
    let orders = service.get("/api/users/7/orders").await.json();
    assert_eq!(orders.as_array().unwrap().len(), 2);
    assert_eq!(service.get("/api/users/151/orders").await.json(), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_identity_headers_and_metrics_everything_else_is_the_same() {
    let world = World::new().await;
    // On a busy machine the 100 ms that a read has by default may not be enough.
    let patient = [("CACHE_TIMEOUT", "2s"), ("SEED_USERS", "5")];
    let without = [("IDENTITY_HEADERS", "false"), ("METRICS", "false")];
    let service = world.ready(&[&patient[..], &without].concat()).await;
    assert_eq!(get(service.management, "/metrics").await.unwrap().status, 404);
    assert_eq!(get(service.management, "/ready").await.unwrap().status, 200);
    // Readiness has a connection of its own to Redis; that of the copies may come later.
    eventually("a copy in Redis", async || {
        let live = service.get("/api/users/1").await;
        assert_eq!((&live.json()["id"], live.header("cache-status")), (&json!(1), None));
        world.copies().await > 0
    })
    .await;
    world.postgres.set(Mode::Refuse);
    let stale = service.get("/api/users/1").await;
    assert_eq!((stale.status.as_u16(), stale.header("age").is_some()), (200, true), "a fallback");
    assert_eq!(stale.header("cache-status"), Some("users; hit; detail=stale"));
    let list = service.get("/api/users").await;
    assert_eq!(
        (list.json(), list.header("cache-status")),
        (json!([]), Some("users; fwd=bypass; detail=unavailable"))
    );
    for path in ["/api/users/1", "/api/users/2", "/api/users", "/nothing", "/health", "/ready"] {
        let headers = service.get(path).await.headers;
        // Obsolete (RFC 9111, 5.5).
        assert!(!headers.contains_key("warning"), "{path}: {headers:?}");
        assert!(headers.keys().all(|name| !name.as_str().starts_with("x-")), "{path}: {headers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_readme_lists_exactly_the_metrics_that_are_served() {
    let world = World::new().await;
    let service = world.ready(&[("SEED_USERS", "5")]).await;
    assert_eq!(service.get("/api/users/1").await.status, 200);
    let metrics = service.metrics().await;
    let served: BTreeSet<_> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '))
        .map(|(name, kind)| if kind == "counter" { format!("{name}_total") } else { name.to_owned() })
        .collect();
    let readme = include_str!("../../README.md");
    let section = readme.split("## Metrics").nth(1).and_then(|rest| rest.split("## ").next()).unwrap();
    // Odd parts stand between backticks; a name ends at its labels, and values such as `metrics_only` have no label.
    let listed: BTreeSet<_> = section
        .split('`')
        .skip(1)
        .step_by(2)
        .filter_map(|text| text.split('{').next())
        .filter(|name| *name != "metrics_only")
        .map(str::to_owned)
        .collect();
    assert_eq!(listed, served);
}
