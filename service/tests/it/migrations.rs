use super::harness::World;

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
