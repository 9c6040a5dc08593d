use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::{Config, Need, Probe};

/// Until the first confirmation nobody is served, so it is asked for more often.
const FIRST_INTERVAL: Duration = Duration::from_millis(250);

/// One watched dependency: the reading end of its loop.
pub(super) struct Dependency {
    pub(super) name: &'static str,
    need: Need,
    observed: watch::Receiver<Observation>,
    /// Age from which on an observation says nothing any more.
    stale_after: Duration,
}

/// What is known of a dependency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Not confirmed since the start, and why.
    Unconfirmed(String),
    Up,
    Down(String),
}

#[derive(Clone)]
struct Observation {
    standing: Standing,
    at: Instant,
}

/// A standing at the moment of asking.
#[derive(Clone, Debug)]
pub(super) struct Status {
    pub(super) name: &'static str,
    pub(super) need: Need,
    pub(super) standing: Standing,
    pub(super) age: Duration,
}

impl Dependency {
    /// Starts the ping loop, which ends when nobody reads it any more.
    pub(super) fn watch(name: &'static str, need: Need, probe: impl Probe, config: &Config) -> Self {
        let first =
            Observation { standing: Standing::Unconfirmed("not yet asked".to_owned()), at: Instant::now() };
        let (sender, observed) = watch::channel(first);
        let stale_after = config.interval * 3 + config.timeout;
        tokio::spawn(observe(name, probe, config.clone(), sender));
        Self { name, need, observed, stale_after }
    }

    pub(super) fn status(&self) -> Status {
        let Observation { standing, at } = self.observed.borrow().clone();
        let age = at.elapsed();
        let standing = match standing {
            Standing::Up if age > self.stale_after => Standing::Down("no recent answer".to_owned()),
            standing => standing,
        };
        Status { name: self.name, need: self.need, standing, age }
    }
}

async fn observe(
    name: &'static str,
    mut probe: impl Probe,
    config: Config,
    sender: watch::Sender<Observation>,
) {
    let mut failures = 0;
    loop {
        let began = Instant::now();
        let result = timeout(config.timeout, unpanicked(async { probe.ping().await }))
            .await
            .unwrap_or_else(|_| Err(format!("no answer within {:?}", config.timeout)));
        failures = if result.is_ok() { 0 } else { failures + 1 };
        sender.send_modify(|observation| {
            let before = observation.standing.clone();
            observation.standing = before.clone().after(result, failures >= config.failures);
            observation.at = Instant::now();
            report(name, &before, &observation.standing);
        });
        let unconfirmed = matches!(sender.borrow().standing, Standing::Unconfirmed(_));
        let pause = if unconfirmed { config.interval.min(FIRST_INTERVAL) } else { config.interval };
        tokio::select! {
            () = sleep_until(began + pause) => {}
            () = sender.closed() => return,
        }
    }
}

/// A probe that panics says that its dependency is down; otherwise its loop would be gone, and with it all news.
async fn unpanicked(ping: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    let mut ping = pin!(ping);
    poll_fn(|context| {
        let polled = catch_unwind(AssertUnwindSafe(|| ping.as_mut().poll(context)));
        polled.unwrap_or_else(|_| Poll::Ready(Err("the probe panicked".to_owned())))
    })
    .await
}

impl Standing {
    fn after(self, ping: Result<(), String>, failed_enough: bool) -> Self {
        match (self, ping) {
            (_, Ok(())) => Self::Up,
            (Self::Unconfirmed(_), Err(reason)) => Self::Unconfirmed(reason),
            (Self::Up, Err(_)) if !failed_enough => Self::Up,
            (_, Err(reason)) => Self::Down(reason),
        }
    }
}

fn report(dependency: &str, before: &Standing, now: &Standing) {
    match (before, now) {
        (Standing::Up, Standing::Down(reason)) => tracing::warn!(dependency, reason, "dependency lost"),
        (Standing::Unconfirmed(_) | Standing::Down(_), Standing::Up) => {
            tracing::info!(dependency, "dependency confirmed");
        }
        (Standing::Unconfirmed(earlier), Standing::Unconfirmed(reason)) if earlier != reason => {
            tracing::warn!(dependency, reason, "dependency not confirmed yet");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused() -> Result<(), String> {
        Err("refused".to_owned())
    }

    #[test]
    fn one_failed_ping_does_not_lose_a_confirmed_dependency() {
        assert_eq!(Standing::Up.after(refused(), false), Standing::Up);
        assert_eq!(Standing::Up.after(refused(), true), Standing::Down("refused".to_owned()));
    }

    #[test]
    fn a_dependency_that_never_answered_is_unconfirmed_from_the_first_failure() {
        let standing = Standing::Unconfirmed(String::new()).after(refused(), false);
        assert_eq!(standing, Standing::Unconfirmed("refused".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_panics_is_a_dependency_that_is_down() {
        struct Panicking(u32);
        impl Probe for Panicking {
            async fn ping(&mut self) -> Result<(), String> {
                self.0 += 1;
                assert!(self.0 == 1, "on purpose");
                Ok(())
            }
        }
        let dependency = Dependency::watch("panicking", Need::Required, Panicking(0), &Config::default());
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(dependency.status().standing, Standing::Up);
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(dependency.status().standing, Standing::Down("the probe panicked".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_hanging_ping_is_bounded_and_the_way_back_is_seen() {
        struct Flaky(watch::Receiver<bool>);
        impl Probe for Flaky {
            async fn ping(&mut self) -> Result<(), String> {
                if *self.0.borrow() { Ok(()) } else { std::future::pending().await }
            }
        }
        let (works, probe) = watch::channel(true);
        let dependency = Dependency::watch("flaky", Need::Required, Flaky(probe), &Config::default());
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(dependency.status().standing, Standing::Up);
        works.send_replace(false);
        tokio::time::sleep(Duration::from_secs(3)).await;
        assert_eq!(dependency.status().standing, Standing::Down("no answer within 500ms".to_owned()));
        works.send_replace(true);
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert_eq!(dependency.status().standing, Standing::Up);
    }
}
