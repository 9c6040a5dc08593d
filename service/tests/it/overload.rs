use std::time::Instant;

use futures_util::future::join_all;
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::harness::{Answer, Mode, Service, World, get, seconds, until};

/// Lets requests wait for a database that hangs.
const PATIENT: [(&str, &str); 2] = [("DATABASE_ACQUIRE_TIMEOUT", "9s"), ("BREAKER_DEADLINE", "9s")];

async fn count(service: &Service, name: &str) -> u64 {
    let metrics = service.metrics().await;
    let line = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {name}")).parse().unwrap()
}

fn is_shed(answer: &Answer) -> bool {
    answer.status == 503 && answer.header("retry-after") == Some("1")
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beyond_the_room_are_turned_away_at_once_and_those_inside_finish() {
    let world = World::new().await;
    let settings = [("MAX_IN_FLIGHT", "8"), ("SEED_USERS", "5"), ("HEALTH_TIMEOUT", "9s")];
    let service = world.ready(&[&settings[..], &PATIENT].concat()).await;
    world.postgres.set(Mode::Hang);
    let port = service.port;
    let mut requests: JoinSet<_> =
        (0..38).map(|_| async move { get(port, "/api/users/1").await.expect("an answer") }).collect();
    let outside = async {
        for _ in 0..30 {
            assert!(is_shed(&requests.join_next().await.unwrap().unwrap()));
        }
    };
    tokio::time::timeout(seconds(4), outside).await.expect("answers at once");
    assert_eq!(count(&service, "http_server_requests_shed_total").await, 30);
    assert_eq!(service.get("/health").await.status, 200, "probes always have room");
    world.postgres.set(Mode::Forward);
    for answer in requests.join_all().await {
        assert_eq!(answer.status, 200);
    }
    assert_eq!(service.get("/api/users/1").await.status, 200);
}

/// Far more clients than there is room, each asking again at once.
#[tokio::test(flavor = "multi_thread")]
async fn under_overload_answers_are_right_or_503_health_is_true_and_it_recovers_by_itself() {
    let world = World::new().await;
    let service = world.ready(&[("MAX_IN_FLIGHT", "4"), ("SEED_USERS", "5")]).await;
    let port = service.port;
    let until = Instant::now() + seconds(4);
    let clients: Vec<_> = (0..100)
        .map(|_| {
            tokio::spawn(async move {
                let (mut served, mut shed) = (0, 0);
                while Instant::now() < until {
                    let answer = get(port, "/api/users/1").await.expect("an answer");
                    assert!(answer.status == 200 || is_shed(&answer), "{answer:?}");
                    if answer.status == 200 { served += 1 } else { shed += 1 }
                }
                (served, shed)
            })
        })
        .collect();
    while Instant::now() + seconds(1) < until {
        assert_eq!(service.readiness().await.expect("an answer").status, 200, "it is not the dependencies");
        assert_eq!(get(service.management, "/health").await.expect("an answer").status, 200);
    }
    let counts = join_all(clients).await.into_iter().map(Result::unwrap);
    let (served, shed) = counts.fold((0, 0), |sum, (served, shed)| (sum.0 + served, sum.1 + shed));
    assert!(served > 100 && shed > 100, "{served} served, {shed} shed");
    let recovered = Instant::now();
    for _ in 0..50 {
        assert_eq!(service.get("/api/users/1").await.status, 200);
    }
    assert!(recovered.elapsed() < seconds(5));
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_told_and_closed_and_the_next_one_is_served() {
    let world = World::new().await;
    let service = world.ready(&[("MAX_CONNECTIONS", "20")]).await;
    let connect = async || TcpStream::connect(("127.0.0.1", service.port)).await.unwrap();
    let mut idle = Vec::new();
    while count(&service, "http_server_connections_refused_total").await == 0 {
        assert!(idle.len() < 40, "no limit");
        idle.push(connect().await);
    }
    let mut text = String::new();
    let _ = connect().await.read_to_string(&mut text).await;
    assert!(text.starts_with("HTTP/1.1 503") && text.contains("retry-after: 1"), "{text}");
    assert_eq!(get(service.management, "/health").await.unwrap().status, 200);
    drop(idle);
    until("room again", seconds(5), async || {
        get(service.port, "/health").await.is_some_and(|answer| answer.status == 200)
    })
    .await;
}
