//! A second server takes over, and the first one stays, keeps its connections and only reads.

use std::time::{Duration, Instant};

use sqlx::{Connection as _, PgConnection};
use tokio::process::Command;
use tokio::time::sleep;

use super::{CLOSED, create, execute, is_live, read_live_together};
use crate::harness::{Service, World, another_postgres, eventually, seconds};

/// Two seconds are promised; a busy machine may need longer for the same few requests.
const LIMIT: Duration = seconds(4);
/// Between two tries of a client.
const PAUSE: Duration = Duration::from_millis(50);

/// The address of this database of that server.
fn url(port: u16, database: &str) -> String {
    format!("postgres://postgres@127.0.0.1:{port}/{database}")
}

/// A database of that name on the server, and a session beside it.
async fn make_database(port: u16, name: &str) -> PgConnection {
    let mut admin = PgConnection::connect(&url(port, "postgres")).await.unwrap();
    execute(&mut admin, format!("CREATE DATABASE {name}")).await;
    admin
}

/// A server with the schema and the users of the former one, of whom the first has another name.
async fn replica(database: &str) -> (u16, PgConnection) {
    let port = another_postgres();
    make_database(port, database).await;
    let address = url(port, database);
    let mut migrate = Command::new(Service::program(None));
    let settings = [("DATABASE_URL", address.as_str()), ("SEED_USERS", "100")];
    let migrated = migrate.arg("migrate").env_clear().envs(settings).status().await.unwrap();
    assert!(migrated.success());
    let mut present = PgConnection::connect(&address).await.unwrap();
    execute(&mut present, "UPDATE users SET name = 'At the new primary' WHERE id = 1").await;
    (port, present)
}

/// Sessions that are open hear of it as well.
async fn only_read(admin: &mut PgConnection) {
    execute(admin, "ALTER SYSTEM SET default_transaction_read_only = on").await;
    execute(admin, "SELECT pg_reload_conf()").await;
    let since = Instant::now();
    loop {
        let read_only = sqlx::query_scalar::<_, String>("SHOW transaction_read_only");
        if read_only.fetch_one(&mut *admin).await.unwrap() == "on" {
            return;
        }
        assert!(since.elapsed() < seconds(60), "the server goes on writing");
        sleep(PAUSE).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reads_and_writes_work_again_within_seconds_of_a_new_primary() {
    let world = World::new().await;
    let (former, database) = (another_postgres(), world.database());
    let mut admin = make_database(former, &database).await;
    let (present_port, mut present) = replica(&database).await;
    world.postgres.lead_to(former);
    let service = world.ready(&[("SEED_USERS", "100")]).await;
    // All that there are were in use until a moment ago.
    read_live_together(&service, 40).await;

    world.postgres.lead_to(present_port);
    only_read(&mut admin).await;
    let changed = Instant::now();
    let mut refused = 0;
    loop {
        let answer = create(&service, refused).await;
        if answer.status == 201 {
            break;
        }
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(changed.elapsed() < LIMIT, "{refused} refused\n{}", service.log());
        refused += 1;
        sleep(PAUSE).await;
    }
    eventually("a read of the new primary", async || {
        let answer = service.get("/api/users/1").await;
        is_live(&answer) && answer.json()["name"] == "At the new primary"
    })
    .await;
    let took = changed.elapsed();
    assert!(took < LIMIT, "{took:?}\n{}", service.log());
    assert!(refused <= 1, "{refused} refused: the first one tells of all connections\n{}", service.log());
    let kept: i64 = sqlx::query_scalar("SELECT count(*) FROM users WHERE email = $1")
        .bind(format!("ada{refused}@example.com"))
        .fetch_one(&mut present)
        .await
        .unwrap();
    assert_eq!(kept, 1, "the write that was answered 201");
    assert_eq!(service.metric(CLOSED).await, 1);
}
