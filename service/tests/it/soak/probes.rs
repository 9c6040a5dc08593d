use bytes::Bytes;
use http::Request;
use http_body_util::Full;

use crate::harness::{Gate, Mode, Pace, World, quantile, seconds};

const SECONDS: u64 = 10;

fn ready(_: u64) -> Request<Full<Bytes>> {
    Request::get("/ready").header("host", "users").body(Full::default()).unwrap()
}

/// A thousand probes a second in all, over connections that are kept, while one dependency hangs.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "half a minute"]
async fn a_thousand_probes_a_second_neither_wait_for_a_dependency_nor_reach_one() {
    let world = World::new().await;
    // No spare connections: what reaches a gate are the pings of health alone.
    let service = world.ready(&[("DATABASE_MIN_CONNECTIONS", "0")]).await;
    for hanging in ["postgres", "redis"] {
        let hangs: &Gate = if hanging == "postgres" { &world.postgres } else { &world.redis };
        hangs.set(Mode::Hang);
        service.until_unready().await;
        let before = [world.postgres.asked(), world.redis.asked()];
        let load = Pace { port: service.port, rate: 1_000.0, clients: 50, ask: ready }.start();
        tokio::time::sleep(seconds(SECONDS)).await;
        let samples = load.stop().await;
        let asked = [world.postgres.asked() - before[0], world.redis.asked() - before[1]];
        let times = |share| quantile(share, samples.iter().map(|each| each.took));
        eprintln!(
            "{hanging} hangs: {} probes, p50 {:?}, p99 {:?}; {} messages to Postgres, {} to Redis in {SECONDS} s",
            samples.len(),
            times(0.5),
            times(0.99),
            asked[0],
            asked[1],
        );
        assert!(samples.iter().all(|each| each.status.is_some_and(|status| status == 503)), "it is known");
        assert!(samples.len() as u64 > SECONDS * 950, "{} probes", samples.len());
        // That they do not wait for a dependency; how fast they are, is printed and not asserted.
        assert!(times(0.99).as_millis() <= 100, "{:?}", times(0.99));
        // One at each end. What hangs may get none: a client that has given its connection up waits for another.
        assert!(asked.iter().all(|count| *count <= SECONDS as usize + 1), "{asked:?}");
        let other = asked[usize::from(hanging == "postgres")];
        assert!(other >= SECONDS as usize - 2, "the other is still asked: {asked:?}");
        hangs.set(Mode::Forward);
        service.until_ready().await;
    }
}
