//! Postgres and Redis that answer, but not with what is needed: a former primary, a session of others, too many
//! connections, a share of errors, slowness. Users notice little, and the circuit opens only when it helps.

mod primary;
mod raised;

use futures_util::future::join_all;
use sqlx::{AssertSqlSafe, PgConnection};

use super::harness::{
    Answer, Mode, Service, WRITTEN, World, another_redis, ask_redis, eventually, get, seconds,
};

const CLOSED: &str = r#"breaker_state{breaker="postgres",state="closed"}"#;

async fn execute(connection: &mut PgConnection, statement: impl Into<String>) {
    sqlx::raw_sql(AssertSqlSafe(statement.into())).execute(connection).await.unwrap();
}

/// How many sessions the service has.
async fn sessions(world: &World) -> i64 {
    let count = "SELECT count(*) FROM pg_stat_activity \
                 WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::query_scalar(count).fetch_one(&mut world.connect().await).await.unwrap()
}

/// Every session of the service, other than that of the harness.
async fn end_sessions(admin: &mut PgConnection, database: &str) {
    execute(
        admin,
        format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = '{database}' AND pid <> pg_backend_pid()"
        ),
    )
    .await;
}

async fn create(service: &Service, number: usize) -> Answer {
    service.post("/api/users", &format!(r#"{{"name":"Ada","email":"ada{number}@example.com"}}"#)).await
}

fn is_live(answer: &Answer) -> bool {
    answer.status == 200 && answer.header("x-cache").is_none()
}

/// So many different users at the same time.
async fn read_together(service: &Service, count: usize) -> Vec<Answer> {
    let paths: Vec<_> = (1..=count).map(|id| format!("/api/users/{id}")).collect();
    join_all(paths.iter().map(|path| service.get(path))).await
}

async fn read_live_together(service: &Service, count: usize) {
    eventually("connections again", async || read_together(service, count).await.iter().all(is_live)).await;
}

/// Reads so many users until there is a copy of each, without which there would be no fallback: a busy service leaves
/// copies out.
async fn keep_copies(world: &World, service: &Service, count: u64) {
    eventually("copies", async || {
        read_together(service, count as usize).await;
        world.copies().await >= count
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_fail_over_one_refused_write_is_enough() {
    let world = World::new().await;
    let connections = [("DATABASE_MAX_CONNECTIONS", "8"), ("DATABASE_MIN_CONNECTIONS", "8")];
    let service = world.ready(&[&connections[..], &[("SEED_USERS", "100")]].concat()).await;
    // Eight of the pool, and one of health: one that is made only now would be of the server of afterwards.
    eventually("all sessions", async || sessions(&world).await >= 9).await;
    let mut admin = world.connect().await;
    let database = world.database();
    // In use until a moment ago, so that it is a statement that meets the end of its session.
    read_live_together(&service, 40).await;
    // Sessions of a server that is read-only; those made afterwards are of one that is not.
    execute(&mut admin, format!("ALTER DATABASE {database} SET default_transaction_read_only = on")).await;
    end_sessions(&mut admin, &database).await;
    read_live_together(&service, 40).await;
    read_live_together(&service, 40).await;
    execute(&mut admin, format!("ALTER DATABASE {database} RESET default_transaction_read_only")).await;

    let mut refused = 0;
    for number in 0..20 {
        let answer = create(&service, number).await;
        match answer.status.as_u16() {
            201 => {}
            503 => {
                assert!(answer.header("retry-after").is_some());
                refused += 1;
            }
            other => panic!("{other}: {}", answer.text()),
        }
    }
    assert_eq!(refused, 1, "the others leave their connections unasked\n{}", service.log());
    assert_eq!(service.metric(CLOSED).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_only_reads_leaves_the_circuit_closed() {
    let world = World::new().await;
    let service = world.ready(&[("SEED_USERS", "100")]).await;
    let mut admin = world.connect().await;
    let database = world.database();
    execute(&mut admin, format!("ALTER DATABASE {database} SET default_transaction_read_only = on")).await;
    end_sessions(&mut admin, &database).await;
    for number in 0..30 {
        assert_eq!(create(&service, number).await.status, 503);
    }
    assert!(is_live(&service.get("/api/users/1").await));
    assert_eq!(service.metric(CLOSED).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_that_is_older_than_its_table_is_left_at_once() {
    let world = World::new().await;
    let service = world.ready(&[("SEED_USERS", "100")]).await;
    read_live_together(&service, 40).await;
    execute(&mut world.connect().await, "ALTER TABLE users ALTER COLUMN name TYPE varchar(200)").await;
    let mut missed = 0;
    for _ in 0..20 {
        missed += usize::from(!is_live(&service.get("/api/users/1").await));
    }
    assert!(missed <= 1, "{missed} of 20 reads after a migration\n{}", service.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_left_behind_are_not_tried_one_after_the_other() {
    let world = World::new().await;
    let connections = [("DATABASE_MAX_CONNECTIONS", "12"), ("DATABASE_MIN_CONNECTIONS", "12")];
    let service = world.ready(&[&connections[..], &[("SEED_USERS", "100")]].concat()).await;
    // In use until a moment ago, so that none is asked before it is lent.
    read_live_together(&service, 12).await;
    world.postgres.forget();
    // Asked one after the other, twelve would take all of the time that a write has for a connection.
    let answer = create(&service, 1).await;
    assert_eq!(answer.status, 201, "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_there_outlast_a_server_that_takes_no_more() {
    let world = World::new().await;
    let mut admin = world.connect().await;
    let database = world.database();
    // A role that is no superuser, for whom no limit would count.
    execute(&mut admin, format!("CREATE ROLE app_{database} LOGIN")).await;
    execute(&mut admin, format!("ALTER DATABASE {database} OWNER TO app_{database}")).await;
    let url = format!("postgres://app_{database}@127.0.0.1:{}/{database}", world.postgres.port);
    // A busy machine may need long for a hundred reads over five connections.
    let patient = [("DATABASE_ACQUIRE_TIMEOUT", "9s"), ("BREAKER_DEADLINE", "9s")];
    let service =
        world.ready(&[&patient[..], &[("DATABASE_URL", &url), ("SEED_USERS", "100")]].concat()).await;
    // Four of the pool, one of health, one that migrates.
    // One that a busy machine makes us give up can be made again; a sixth one cannot.
    eventually("the fewest connections", async || world.postgres.accepted() >= 6).await;
    execute(&mut world.connect().await, format!("ALTER DATABASE {database} CONNECTION LIMIT 5")).await;
    for answer in read_together(&service, 100).await {
        assert!(is_live(&answer), "{}: {:?}\n{}", answer.status, answer.headers, service.metrics().await);
    }
    assert_eq!(service.metric(CLOSED).await, 1);
}

/// Each connection is refused, with a code (55000) that is our own mistake where a statement gets it.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_no_connections_is_an_outage() {
    let world = World::new().await;
    let service = world.ready(&[("SEED_USERS", "100")]).await;
    keep_copies(&world, &service, 20).await;
    let database = world.database();
    let mut admin = World::admin().await;
    execute(&mut admin, format!("ALTER DATABASE {database} ALLOW_CONNECTIONS false")).await;
    end_sessions(&mut admin, &database).await;
    eventually("open", async || {
        for answer in read_together(&service, 20).await {
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
        let refused = create(&service, 1).await;
        assert_eq!(refused.status, 503, "{}", refused.text());
        service.metric(r#"breaker_state{breaker="postgres",state="open"}"#).await == 1
    })
    .await;
    execute(&mut admin, format!("ALTER DATABASE {database} ALLOW_CONNECTIONS true")).await;
    read_live_together(&service, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_who_hang_up_open_the_circuit_of_a_database_that_hangs() {
    let world = World::new().await;
    let service = world.ready(&[("SEED_USERS", "20")]).await;
    world.postgres.set(Mode::Hang);
    eventually("open", async || {
        // Two seconds before the deadline.
        let impatient = (1..=20).map(async |id| {
            let _ = tokio::time::timeout(seconds(1), get(service.port, &format!("/api/users/{id}"))).await;
        });
        join_all(impatient).await;
        service.metric(r#"breaker_state{breaker="postgres",state="open"}"#).await == 1
    })
    .await;
    let given_up = service.metric(r#"breaker_calls_total{breaker="postgres",outcome="given_up"}"#).await;
    assert!(given_up >= 10, "{given_up}");
    let gone = r#"http_request_method="GET",http_route="/api/users/{id}",http_response_status_code="499",error_type="client_gone""#;
    assert!(service.metric(&format!("http_server_request_duration_seconds_count{{{gone}}}")).await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redis_that_has_become_a_replica_is_left_for_the_new_primary() {
    let world = World::new().await;
    let (former, present) = (another_redis(), another_redis());
    world.redis.lead_to(former);
    let settings = [("SEED_USERS", "100"), ("CACHE_REFRESH", "100ms"), ("CACHE_TIMEOUT", "2s")];
    let service = world.ready(&settings).await;
    service.until_copied().await;
    world.redis.lead_to(present);
    let answer = ask_redis(former, "REPLICAOF 127.0.0.1 1").await;
    assert!(answer.contains("+OK"), "{answer}");
    let written = service.metric(WRITTEN).await;
    eventually("copies at the new primary", async || {
        assert!(is_live(&service.get("/api/users/3").await), "users are not to notice");
        service.metric(WRITTEN).await > written
    })
    .await;
}
