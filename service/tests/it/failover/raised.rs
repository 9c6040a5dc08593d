//! Errors that the database raises for some rows, and answers that it takes its time for.

use std::time::Duration;

use futures_util::future::join_all;
use sqlx::PgConnection;

use super::{CLOSED, execute, is_live, keep_copies, read_live_together, read_together};
use crate::harness::{World, eventually};

/// A view in the place of the users, whose rows have to pass `passes(id)`.
async fn put_view(admin: &mut PgConnection, passes: &str) {
    execute(
        admin,
        format!(
            "CREATE FUNCTION passes(id bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN {passes} \
             RETURN true; END $$; \
             ALTER TABLE users RENAME TO real_users; \
             CREATE VIEW users AS SELECT * FROM real_users WHERE passes(id)"
        ),
    )
    .await;
}

fn failing(digits: &str) -> String {
    format!("IF id % 10 IN ({digits}) THEN RAISE EXCEPTION 'out of memory' USING ERRCODE = '53200'; END IF;")
}

/// Raises each code for the row of the user with this id.
fn raising<'a>(codes: impl Iterator<Item = (&'a str, i32)>) -> String {
    let raised = codes.map(|(code, id)| {
        format!("IF id = {id} THEN RAISE EXCEPTION 'on purpose' USING ERRCODE = '{code}'; END IF;")
    });
    raised.collect::<Vec<_>>().join(" ")
}

/// Sessions of requests that began before this moment of the server.
async fn sessions_from_before(world: &World, moment: &str) -> i64 {
    let count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() \
                 AND pid <> pg_backend_pid() AND query LIKE 'SELECT id, name, email FROM users%' \
                 AND backend_start < $1::timestamptz";
    sqlx::query_scalar(count).bind(moment).fetch_one(&mut world.connect().await).await.unwrap()
}

/// Each code is raised by one user's row.
#[tokio::test(flavor = "multi_thread")]
async fn what_says_that_a_session_is_out_of_date_or_ended_replaces_all_and_any_other_error_none() {
    const CODES: [(&str, bool); 6] = [
        ("22012", false),
        ("0A000", true),
        ("25006", true),
        ("26000", true),
        ("42P05", true),
        ("57P01", true),
    ];
    let world = World::new().await;
    let connections = [("DATABASE_MAX_CONNECTIONS", "8"), ("DATABASE_MIN_CONNECTIONS", "8")];
    let service = world.ready(&[&connections[..], &[("SEED_USERS", "110")]].concat()).await;
    let raised = raising(CODES.into_iter().map(|(code, _)| code).zip(101..));
    put_view(&mut world.connect().await, &raised).await;
    // The first one meets an old plan.
    service.get("/api/users/1").await;
    for ((code, replaces), id) in CODES.into_iter().zip(101..) {
        // The pool passes over what it learns again within half a second.
        tokio::time::sleep(Duration::from_millis(700)).await;
        read_live_together(&service, 40).await;
        let moment: String =
            sqlx::query_scalar("SELECT now()::text").fetch_one(&mut world.connect().await).await.unwrap();
        assert!(sessions_from_before(&world, &moment).await > 0, "{code}: or this shows nothing");
        assert!(!is_live(&service.get(&format!("/api/users/{id}")).await), "{code}");
        if replaces {
            eventually(&format!("{code}: new sessions alone"), async || {
                read_together(&service, 40).await;
                sessions_from_before(&world, &moment).await == 0
            })
            .await;
        } else {
            read_live_together(&service, 40).await;
            assert!(sessions_from_before(&world, &moment).await > 0, "{code}");
        }
        assert_eq!(service.metric(CLOSED).await, 1, "{code}");
    }
}

/// Each code is raised by one user's row, of which there is a copy.
#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_others_were_in_the_way_of_has_its_fallback_and_opens_nothing() {
    const CODES: [&str; 4] = ["55P03", "40001", "40P01", "25P04"];
    let world = World::new().await;
    let service = world.ready(&[("SEED_USERS", "20")]).await;
    keep_copies(&world, &service, 20).await;
    put_view(&mut world.connect().await, &raising(CODES.into_iter().zip(1..))).await;
    // The first one meets an old plan.
    service.get("/api/users/10").await;
    for _ in 0..5 {
        for (code, id) in CODES.iter().zip(1..) {
            let answer = service.get(&format!("/api/users/{id}")).await;
            assert_eq!(answer.status, 200, "{code}: {}", answer.text());
            assert_eq!(answer.header("x-cache"), Some("stale"), "{code}");
        }
    }
    assert_eq!(service.metric(CLOSED).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn four_failures_in_ten_calls_leave_the_circuit_closed_and_six_open_it() {
    let world = World::new().await;
    let service = world.ready(&[("SEED_USERS", "100")]).await;
    let mut admin = world.connect().await;
    put_view(&mut admin, &failing("1, 3, 5, 7")).await;
    // The first one meets an old plan.
    service.get("/api/users/2").await;
    let connections = world.postgres.accepted();
    for id in 1..=100 {
        let answer = service.get(&format!("/api/users/{id}")).await;
        assert_eq!(is_live(&answer), ![1, 3, 5, 7].contains(&(id % 10)), "{id}: {}", answer.status);
    }
    assert_eq!(service.metric(CLOSED).await, 1);
    let more = world.postgres.accepted() - connections;
    assert!(more < 10, "{more} connections for 40 errors: they were answers like any other");

    execute(&mut admin, "DROP VIEW users; DROP FUNCTION passes; ALTER TABLE real_users RENAME TO users")
        .await;
    put_view(&mut admin, &failing("1, 3, 5, 6, 7, 9")).await;
    eventually("open", async || {
        join_all((1..=10).map(async |id| service.get(&format!("/api/users/{id}")).await.status)).await;
        service.metric(r#"breaker_state{breaker="postgres",state="open"}"#).await == 1
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_slow_for_too_many_calls_opens_nothing() {
    let world = World::new().await;
    let service = world.ready(&[("SEED_USERS", "200"), ("BREAKER_DEADLINE", "9s")]).await;
    put_view(&mut world.connect().await, "PERFORM pg_sleep(0.5);").await;
    // Twenty a second have their turn; most of the others wait in vain.
    let answers = read_together(&service, 200).await;
    let live = answers.iter().filter(|answer| is_live(answer)).count();
    assert!(live < 100, "{live} of 200: they were meant not to fit");
    assert_eq!(service.metric(CLOSED).await, 1, "{live} live answers");
    let uncounted = service.metric(r#"breaker_calls_total{breaker="postgres",outcome="not_counted"}"#).await;
    assert!(uncounted >= 100, "{uncounted}");
}
