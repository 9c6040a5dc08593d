use super::harness::{World, free_port};

#[tokio::test(flavor = "multi_thread")]
async fn the_orders_service_away_is_a_problem_and_not_a_hang() {
    let world = World::new().await;
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let hanging = format!("http://{}", silent.local_addr().unwrap());
    let refusing = format!("http://127.0.0.1:{}", free_port());
    for (url, status) in [(hanging, 503), (refusing, 502)] {
        let settings = [("ORDERS_URL", url.as_str()), ("ORDERS_DEADLINE", "300ms"), ("SEED_USERS", "5")];
        let users = world.ready(&settings).await;
        let answer = users.get("/api/users/1/orders").await;
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(users.get("/api/users/99/orders").await.status, 404);
    }
}
