use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::harness::{Answer, Mode, World, eventually, get, seconds, until};

/// Lets requests wait for a database that hangs.
const PATIENT: [(&str, &str); 2] = [("DATABASE_ACQUIRE_TIMEOUT", "9s"), ("BREAKER_DEADLINE", "9s")];

/// Of a client that was shed.
const PAUSE: Duration = Duration::from_millis(20);

fn is_shed(answer: &Answer) -> bool {
    answer.status == 503 && answer.says_soon()
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
    assert_eq!(service.metric("http_server_requests_shed_total").await, 30);
    assert_eq!(service.get("/health").await.status, 200, "probes take no room");
    world.postgres.set(Mode::Forward);
    for answer in requests.join_all().await {
        assert_eq!(answer.status, 200);
    }
    assert_eq!(service.get("/api/users/1").await.status, 200);
}

/// How often clients were served and shed, and whether they are to stop.
#[derive(Default)]
struct Tally {
    served: AtomicUsize,
    shed: AtomicUsize,
    stop: AtomicBool,
}

impl Tally {
    /// Asks until stopped. Whoever is shed pauses a little: without that, clients and refusals take the processors
    /// away from those who are served, and a slow build on a busy machine shows nothing else.
    async fn ask(self: Arc<Self>, port: u16) {
        while !self.stop.load(Ordering::Relaxed) {
            let answer = get(port, "/api/users/1").await.expect("an answer");
            assert!(answer.status == 200 || is_shed(&answer), "{answer:?}");
            if answer.status == 200 {
                self.served.fetch_add(1, Ordering::Relaxed);
            } else {
                self.shed.fetch_add(1, Ordering::Relaxed);
                sleep(PAUSE).await;
            }
        }
    }

    fn enough(&self) -> bool {
        self.served.load(Ordering::Relaxed) > 20 && self.shed.load(Ordering::Relaxed) > 100
    }
}

/// Far more clients than there is room, for at least 4 s, and until both kinds of answers were seen often. The paced
/// load of a release build is in `soak/overload.rs`.
#[tokio::test(flavor = "multi_thread")]
async fn under_overload_answers_are_right_or_503_health_is_true_and_it_recovers_by_itself() {
    let world = World::new().await;
    // A slow build on a busy machine may need more than the 500 ms of a ping.
    let service = world.ready(&[("MAX_IN_FLIGHT", "4"), ("SEED_USERS", "5"), ("HEALTH_TIMEOUT", "3s")]).await;
    let (tally, began) = (Arc::<Tally>::default(), Instant::now());
    let clients: JoinSet<_> = (0..100).map(|_| Arc::clone(&tally).ask(service.port)).collect();
    while began.elapsed() < seconds(4) || !tally.enough() {
        let Tally { served, shed, .. } = &*tally;
        assert!(began.elapsed() < seconds(60), "{served:?} served, {shed:?} shed");
        assert_eq!(service.readiness().await.expect("an answer").status, 200, "it is not the dependencies");
        assert_eq!(get(service.management, "/health").await.expect("an answer").status, 200);
    }
    tally.stop.store(true, Ordering::Relaxed);
    clients.join_all().await;
    let recovered = Instant::now();
    assert_eq!(service.get("/api/users/1").await.status, 200);
    assert!(recovered.elapsed() < seconds(5), "{:?}", recovered.elapsed());
    for _ in 0..50 {
        assert_eq!(service.get("/api/users/1").await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_beyond_the_limit_are_told_and_closed_and_the_next_one_is_served() {
    let world = World::new().await;
    let service = world.ready(&[("MAX_CONNECTIONS", "20")]).await;
    let connect = async || TcpStream::connect(("127.0.0.1", service.port)).await.unwrap();
    let mut idle = Vec::new();
    for _ in 0..21 {
        idle.push(connect().await);
    }
    let refused = async || service.metric("http_server_connections_refused_total").await;
    eventually("one too many", async || refused().await > 0).await;
    let mut advice = Vec::new();
    for _ in 0..2 {
        let mut text = String::new();
        let _ = connect().await.read_to_string(&mut text).await;
        assert!(text.starts_with("HTTP/1.1 503"), "{text}");
        advice.push(text.lines().find(|line| line.starts_with("retry-after: ")).expect("advice").to_owned());
    }
    assert!(advice[0] != advice[1], "those who come together are not sent back together: {advice:?}");
    assert_eq!(get(service.management, "/health").await.unwrap().status, 200);
    drop(idle);
    until("room again", seconds(5), async || {
        get(service.port, "/api/users").await.is_some_and(|answer| answer.status == 200)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn probes_are_answered_where_there_is_no_room_for_users() {
    let world = World::new().await;
    let service = world.ready(&[("MAX_CONNECTIONS", "20")]).await;
    let connect = async || TcpStream::connect(("127.0.0.1", service.port)).await.unwrap();
    let mut idle = Vec::new();
    for _ in 0..20 {
        idle.push(connect().await);
    }
    let open = async || service.metric("http_server_connections").await;
    eventually("all are open", async || open().await == 20).await;
    for probe in ["/health", "/ready"] {
        let answer = service.get(probe).await;
        assert_eq!(answer.status, 200, "{probe}");
        assert_eq!(answer.header("connection"), Some("close"), "it makes room for the next one");
    }
    assert!(is_shed(&service.get("/api/users/1").await));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_cannot_wait_for_a_connection_are_answered_at_once_and_are_no_failures() {
    let world = World::new().await;
    let few = [("DATABASE_MAX_CONNECTIONS", "1"), ("DATABASE_MAX_WAITING", "4"), ("HEALTH_TIMEOUT", "9s")];
    let service = world.ready(&[&few[..], &PATIENT, &[("SEED_USERS", "30")]].concat()).await;
    world.postgres.set(Mode::Hang);
    let port = service.port;
    let ask = |id: usize| async move { get(port, &format!("/api/users/{id}")).await.expect("an answer") };
    let mut requests: JoinSet<_> = (1..=20).map(ask).collect();
    let shed = async {
        for _ in 0..15 {
            assert!(is_shed(&requests.join_next().await.unwrap().unwrap()));
        }
    };
    tokio::time::timeout(seconds(4), shed).await.expect("answers at once");
    let outcome = async |name: &str| {
        service.metric(&format!(r#"breaker_calls_total{{breaker="postgres",outcome="{name}"}}"#)).await
    };
    assert_eq!((outcome("not_counted").await, outcome("failure").await), (15, 0));
    world.postgres.set(Mode::Forward);
    for answer in requests.join_all().await {
        assert_eq!(answer.status, 200);
    }
}
