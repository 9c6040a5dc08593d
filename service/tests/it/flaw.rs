use super::harness::{World, get, seconds, until};

#[tokio::test(flavor = "multi_thread")]
async fn the_bare_build_has_users_and_nothing_else() {
    let world = World::new().await;
    let mut service = world.start(&[("FLAW", "bare"), ("SEED_USERS", "5")]);
    until("serving", seconds(10), async || get(service.port, "/api/users/1").await.is_some()).await;
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
