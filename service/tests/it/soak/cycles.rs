use crate::harness::{Mode, Service, World, eventually};

const CYCLES: u64 = 1_000;
const OPENED: &str = r#"breaker_transitions_total{breaker="postgres",from="closed",to="open"}"#;
const CLOSED: &str = r#"breaker_transitions_total{breaker="postgres",from="half_open",to="closed"}"#;

/// Postgres goes away and comes back; the circuit follows, by calls of ours.
async fn cycle(world: &World, service: &Service) {
    for (mode, series) in [(Mode::Refuse, OPENED), (Mode::Forward, CLOSED)] {
        let before = service.metric(series).await;
        world.postgres.set(mode);
        eventually(series, async || {
            service.get("/api/users/1").await;
            service.metric(series).await > before
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "2 minutes"]
async fn memory_does_not_grow_over_a_thousand_cycles_of_the_circuit() {
    let world = World::new().await;
    let settings = [("BREAKER_OPEN_FOR", "10ms"), ("BREAKER_MIN_CALLS", "1"), ("SEED_USERS", "5")];
    let service = world.ready(&settings).await;
    for _ in 0..CYCLES / 5 {
        cycle(&world, &service).await;
    }
    let (before, opened) = (service.resident_mib(), service.metric(OPENED).await);
    for _ in 0..CYCLES {
        cycle(&world, &service).await;
    }
    let (grown, opened) = (service.resident_mib() - before, service.metric(OPENED).await - opened);
    eprintln!("{opened} cycles: {grown:.2} MiB above {before:.1}");
    assert!(opened >= CYCLES, "{opened} cycles");
    assert!(grown < 1.0, "{grown:.2} MiB above {before:.1}");
}
