//! Asks one copy what its kubelet would ask, as often, and acts on answers in a row as it does.

use std::net::IpAddr;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::config::Probe;
use crate::evidence::Outcome;
use crate::load::ask;

/// Answers in a row, and what they have led to.
struct Row {
    failure_threshold: u32,
    success_threshold: u32,
    succeeded: bool,
    length: u32,
    /// What holds; nothing before the first row is long enough.
    holds: Option<bool>,
}

impl Row {
    fn new(probe: &Probe) -> Self {
        Self {
            failure_threshold: probe.failure_threshold,
            success_threshold: probe.success_threshold,
            succeeded: false,
            length: 0,
            holds: None,
        }
    }

    /// One more answer; gives what holds from now on, if that has changed.
    fn answer(&mut self, succeeded: bool) -> Option<bool> {
        self.length = if self.succeeded == succeeded { self.length.saturating_add(1) } else { 1 };
        self.succeeded = succeeded;
        let enough = if succeeded { self.success_threshold } else { self.failure_threshold };
        let changed = self.length >= enough && self.holds != Some(succeeded);
        changed.then(|| self.holds = Some(succeeded))?;
        self.holds
    }
}

/// Asks until dropped; `tell` hears whenever what holds has changed. A copy without a readiness probe is ready at once
/// (`tell` hears `true`), one without a liveness probe lives for ever.
pub(super) async fn ask_for_ever(ip: IpAddr, probe: Option<&Probe>, mut tell: impl FnMut(bool)) {
    let Some(probe) = probe.filter(|probe| probe.can_be_asked()) else {
        tell(true);
        return std::future::pending().await;
    };
    let first = Instant::now() + Duration::from_secs(probe.initial_delay_s.into());
    let mut ticks = interval_at(first, Duration::from_secs(probe.period_s.max(1).into()));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut row = Row::new(probe);
    loop {
        ticks.tick().await;
        let answer = ask(ip, probe).await;
        // A question that never left says nothing about the copy.
        if answer == Err(Outcome::Unsent.name()) {
            continue;
        }
        if let Some(holds) = row.answer(matches!(answer, Ok(200..=399))) {
            tell(holds);
        }
    }
}

/// Waits until liveness has failed often enough; for ever if it never does.
pub(super) async fn dead(ip: IpAddr, probe: Option<&Probe>) {
    let (tell, mut told) = tokio::sync::watch::channel(true);
    tokio::select! {
        () = ask_for_ever(ip, probe, |lives| { tell.send_replace(lives); }) => {}
        _ = told.wait_for(|lives| !lives) => {}
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU16, Ordering};

    use axum::http::StatusCode;

    use super::*;
    use crate::config::{Handler, Scheme};

    fn probe(port: u16, path: &str) -> Probe {
        let (path, host, headers) = (path.to_owned(), None, Vec::new());
        let handler = Handler::HttpGet { scheme: Scheme::Http, host, port, path, headers };
        let (timeout_s, period_s, initial_delay_s) = (1, 1, 0);
        Probe { handler, timeout_s, period_s, failure_threshold: 2, success_threshold: 1, initial_delay_s }
    }

    #[test]
    fn only_a_row_as_long_as_declared_changes_what_holds() {
        let mut row = Row::new(&probe(1, "/"));
        let told: Vec<_> =
            [false, true, false, true, false, false, false, true].map(|one| row.answer(one)).into();
        assert_eq!(told, [None, Some(true), None, None, None, Some(false), None, Some(true)]);
    }

    #[tokio::test]
    async fn a_copy_is_ready_while_it_says_so_and_dead_once_it_fails_twice() {
        let status = Arc::new(AtomicU16::new(503));
        let said = Arc::clone(&status);
        let answer = move || async move { StatusCode::from_u16(said.load(Ordering::SeqCst)).unwrap() };
        let router = axum::Router::new().route("/ready", axum::routing::get(answer));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let (ip, port) = (listener.local_addr().unwrap().ip(), listener.local_addr().unwrap().port());
        tokio::spawn(async { axum::serve(listener, router).await });
        let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
        let probe = probe(port, "/ready");
        let asked = probe.clone();
        tokio::spawn(async move { ask_for_ever(ip, Some(&asked), |ready| tell.send(ready).unwrap()).await });
        assert_eq!(told.recv().await, Some(false));
        status.store(200, Ordering::SeqCst);
        assert_eq!(told.recv().await, Some(true));
        status.store(404, Ordering::SeqCst);
        assert_eq!(told.recv().await, Some(false));
        dead(ip, Some(&probe)).await;
        let never = tokio::time::timeout(Duration::from_millis(10), dead(ip, None)).await;
        assert!(never.is_err(), "nothing is declared that could fail");
    }
}
