use std::time::{Duration, Instant};

use crate::harness::{Cgroup, Pace, Sample, Service, World, flood, get, quantile, read, seconds};

/// More than the room of the service, fewer than the connections it takes.
const CLIENTS: usize = 2_000;
/// Of one core.
const PERCENT: u32 = 30;
const LOAD: Duration = Duration::from_secs(10);

/// Requests a second of a closed loop of 16 clients: the most that the instance holds.
async fn capacity(service: &Service) -> f64 {
    const TURN: usize = 4_000;
    flood(service.port, TURN).await;
    let (began, mut turns) = (Instant::now(), 0);
    while began.elapsed() < seconds(5) {
        flood(service.port, TURN).await;
        turns += 1;
    }
    (turns * TURN) as f64 / began.elapsed().as_secs_f64()
}

/// Asks for health and readiness as long as the load lasts; each must be 200 each time.
async fn probe(service: &Service) -> Vec<(u16, Duration)> {
    let (began, mut times) = (Instant::now(), Vec::new());
    while began.elapsed() < LOAD {
        for (port, path) in
            [(service.port, "/health"), (service.port, "/ready"), (service.management, "/health")]
        {
            let asked = Instant::now();
            let answer = get(port, path).await.expect("an answer");
            assert_eq!(answer.status, 200, "{path} after {:?}: {}", began.elapsed(), answer.text());
            times.push((port, asked.elapsed()));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    times
}

/// What was measured.
struct Overload {
    capacity: f64,
    samples: Vec<Sample>,
    /// From the first request to the last answer.
    lasted: Duration,
    /// Which port was asked, and how long it took.
    probes: Vec<(u16, Duration)>,
    /// From the end of the load.
    first_answer: Duration,
    /// The share of the periods in which the service wanted more than it had.
    throttled: f64,
}

impl Overload {
    async fn run(service: &Service, cgroup: &Cgroup) -> Self {
        let capacity = capacity(service).await;
        let (began, before) = (Instant::now(), cgroup.throttled());
        let load = Pace { port: service.port, rate: 3.0 * capacity, clients: CLIENTS, ask: read }.start();
        let probes = probe(service).await;
        let throttled =
            (cgroup.throttled() - before) as f64 / began.elapsed().div_duration_f64(Cgroup::PERIOD);
        let samples = load.stop().await;
        let (lasted, ended) = (began.elapsed(), Instant::now());
        assert_eq!(service.get("/api/users/1").await.status, 200);
        Self { capacity, samples, lasted, probes, first_answer: ended.elapsed(), throttled }
    }

    fn of(&self, status: u16) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(move |each| each.status.is_some_and(|is| is == status))
    }

    /// How many clients had a request under way, on average.
    fn under_way(&self) -> f64 {
        self.rate(self.samples.iter().map(|each| each.took.as_secs_f64()).sum())
    }

    fn rate(&self, count: f64) -> f64 {
        count / self.lasted.as_secs_f64()
    }

    fn rate_of(&self, status: u16) -> f64 {
        self.rate(self.of(status).count() as f64)
    }

    fn p99(&self, status: u16) -> Duration {
        quantile(0.99, self.of(status).map(|each| each.took))
    }

    fn slowest_probe(&self, port: u16) -> Duration {
        self.probes.iter().filter(|(asked, _)| *asked == port).map(|(_, took)| *took).max().unwrap()
    }

    #[expect(clippy::print_stderr, reason = "the rates are the result, shown by --nocapture")]
    fn print(&self, service: &Service) {
        eprintln!(
            "capacity {:.0}/s; due {:.0}/s, sent {:.0}/s, {:.0} clients with a request under way, throttled in {:.0} % of \
             the periods; served {:.0}/s (p99 {:?}), shed {:.0}/s (p99 {:?}); slowest probe {:?} at its own port, {:?} at \
             the one for management; first answer after {:?}",
            self.capacity,
            3.0 * self.capacity,
            self.rate(self.samples.len() as f64),
            self.under_way(),
            100.0 * self.throttled,
            self.rate_of(200),
            self.p99(200),
            self.rate_of(503),
            self.p99(503),
            self.slowest_probe(service.port),
            self.slowest_probe(service.management),
            self.first_answer,
        );
    }

    fn judge(&self) {
        let right = |each: &&Sample| {
            each.status.is_some_and(|status| status == 200 || status == 503 && each.retry_after)
        };
        let wrong = self.samples.iter().find(|each| !right(each));
        assert!(wrong.is_none(), "neither served nor shed: {wrong:?}");
        assert!(self.first_answer < seconds(5), "{:?}", self.first_answer);
        // Or the clients are too slow to show anything. How many they send is the service's doing: each waits for its
        // answer, and a refusal costs a third to two thirds of one, most of it in the kernel.
        assert!(self.throttled > 0.8, "the service has time left: {}", self.throttled);
        assert!(self.under_way() > 0.7 * CLIENTS as f64, "{} requests under way", self.under_way());
        assert!(self.rate_of(503) > 0.2 * self.capacity, "hardly any is shed");
        assert!(self.rate_of(200) > 0.05 * self.capacity, "nobody is served any more");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "20 seconds"]
async fn three_times_the_capacity_is_shed_and_those_inside_are_still_served() {
    let world = World::new().await;
    // Straight to the backends: the gates would take part in the result.
    let service = Service::start(world.direct(), &[("SEED_USERS", "100")]);
    service.until_ready().await;
    // Its clients and Postgres share the machine with it. Without a limit of its own it would only be seen that they
    // take the processors away from it.
    let Some(cgroup) = Cgroup::throttle(service.child.id().unwrap(), PERCENT) else {
        eprintln!(
            "SKIPPED: no control group for processor time can be made here (not root, or none is mounted)"
        );
        return;
    };
    let overload = Overload::run(&service, &cgroup).await;
    overload.print(&service);
    overload.judge();
}
