//! PgBouncer in transaction mode: each transaction may have another session, which others have had before.

use futures_util::future::join_all;

use super::harness::{Service, World, eventually, pgbouncer, seconds};

/// The service behind the pooler, on a database that somebody else has migrated.
async fn behind(world: &World, settings: &[(&str, &str)]) -> Service {
    let mut migrate = tokio::process::Command::new(Service::program(None));
    let migrated = migrate.arg("migrate").env_clear().envs(world.direct()).env("SEED_USERS", "20").status();
    assert!(migrated.await.unwrap().success());
    let pooled =
        [("MIGRATE", "false"), ("DATABASE_POOLER", "transaction"), ("DATABASE_MAX_CONNECTIONS", "8")];
    Service::start(world.by_way_of(pgbouncer()), &[&pooled[..], settings].concat())
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_and_writes_share_two_sessions_of_a_pooler() {
    let world = World::new().await;
    let services = [behind(&world, &[]).await, behind(&world, &[]).await];
    for service in &services {
        service.until_ready().await;
    }
    for round in 0..10 {
        let work = services.iter().enumerate().flat_map(|(number, service)| {
            (0..10).map(move |item| async move {
                let email = format!("{number}-{round}-{item}@example.com");
                let created =
                    service.post("/api/users", &format!(r#"{{"name":"Ada","email":"{email}"}}"#)).await;
                assert_eq!(created.status, 201, "{}", service.log());
                let id = created.json()["id"].to_string();
                for path in
                    [format!("/api/users/{id}"), "/api/users".to_owned(), format!("/api/users/{id}/orders")]
                {
                    let answer = service.get(&path).await;
                    assert_eq!(
                        (answer.status.as_u16(), answer.header("x-cache")),
                        (200, None),
                        "{}",
                        service.log()
                    );
                }
                let again =
                    service.post("/api/users", &format!(r#"{{"name":"Eve","email":"{email}"}}"#)).await;
                assert_eq!(again.status, 409, "a statement that fails leaves no transaction behind");
            })
        });
        join_all(work).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_behind_a_pooler_has_its_limit_and_leaves_none_behind() {
    let world = World::new().await;
    let limit = [("DATABASE_STATEMENT_TIMEOUT", "700ms"), ("BREAKER_DEADLINE", "9s")];
    let service = behind(&world, &limit).await;
    service.until_ready().await;
    let mut admin = world.connect().await;
    sqlx::raw_sql("BEGIN; LOCK TABLE users IN ACCESS EXCLUSIVE MODE").execute(&mut admin).await.unwrap();
    assert_eq!(service.get("/api/users/1").await.status, 503);
    eventually("told why", async || service.log().contains(r#""kind":"57014""#)).await;
    sqlx::raw_sql("ROLLBACK").execute(&mut admin).await.unwrap();
    tokio::time::timeout(seconds(60), service.until_ready()).await.expect("ready");
    assert_eq!(service.get("/api/users/1").await.status, 200);
}
