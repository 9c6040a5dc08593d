use super::harness::{Mode, Service, World, eventually};

#[tokio::test(flavor = "multi_thread")]
async fn three_replicas_that_start_together_migrate_and_seed_once() {
    let world = World::new().await;
    let replicas = [(); 3].map(|()| world.start(&[("SEED_USERS", "50")]));
    for replica in &replicas {
        replica.until_ready().await;
        // They wait for each other; none runs into another and is saved by its retry.
        assert!(!replica.log().contains("database not migrated"), "{}", replica.log());
    }
    let mut connection = world.connect().await;
    let users: i64 =
        sqlx::query_scalar("SELECT count(*) FROM users").fetch_one(&mut connection).await.unwrap();
    let orders: i64 =
        sqlx::query_scalar("SELECT count(*) FROM orders").fetch_one(&mut connection).await.unwrap();
    assert_eq!((users, orders), (50, 100));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_build_starts_on_a_newer_schema() {
    let world = World::new().await;
    world.ready(&[]).await;
    let mut connection = world.connect().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) \
                 VALUES (99, 'from the future', true, '\\x00', 0)";
    sqlx::query(newer).execute(&mut connection).await.unwrap();
    world.ready(&[]).await;
}

async fn migrate(world: &World, settings: &[(&str, &str)]) -> std::process::Output {
    let mut users = tokio::process::Command::new(Service::program(None));
    users.arg("migrate").env_clear().envs(world.environment()).envs(settings.iter().copied());
    users.output().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_migrate_waits_for_the_one_who_does() {
    let world = World::new().await;
    let service = world.start(&[("MIGRATE", "false"), ("SEED_USERS", "5")]);
    eventually("told", async || service.log().contains("database not migrated")).await;
    eventually("unready for that reason", async || {
        let answer = service.readiness().await.unwrap();
        assert_eq!(answer.status, 503);
        answer.text().contains("not migrated yet")
    })
    .await;
    let migrated = migrate(&world, &[("SEED_USERS", "3")]).await;
    assert_eq!(migrated.status.code(), Some(0), "{migrated:?}");
    service.until_ready().await;
    assert_eq!(service.get("/api/users").await.json().as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_does_not_migrate_waits_for_the_last_migration_too() {
    let world = World::new().await;
    assert!(migrate(&world, &[]).await.status.success());
    let mut connection = world.connect().await;
    // As an older build has left it.
    let hide = "UPDATE _sqlx_migrations SET version = version + 1000 \
                WHERE version = (SELECT max(version) FROM _sqlx_migrations)";
    sqlx::query(hide).execute(&mut connection).await.unwrap();
    let service = world.start(&[("MIGRATE", "false")]);
    eventually("told", async || service.log().contains("is missing: run `users migrate`")).await;
    let show = "UPDATE _sqlx_migrations SET version = version - 1000 WHERE version > 1000";
    sqlx::query(show).execute(&mut connection).await.unwrap();
    service.until_ready().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_migration_without_a_database_fails_and_says_why() {
    let world = World::with(Mode::Refuse, Mode::Forward).await;
    let refused = migrate(&world, &[]).await;
    assert_eq!(refused.status.code(), Some(1));
    let text = String::from_utf8(refused.stderr).unwrap();
    assert!(text.contains("not migrated: "), "{text}");
}
