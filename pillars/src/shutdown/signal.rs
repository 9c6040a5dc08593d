use std::io;
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};

use super::{Config, Phase, Progress, Work};

/// Exit code of a shutdown that did not finish in time.
const FORCED: i32 = 1;

/// Starts the thread that waits for the first signal and then runs the clock; returns once the handlers are in place.
pub(super) fn spawn(
    config: Config,
    progress: watch::Sender<Progress>,
    request: Arc<Notify>,
    work: Work,
) -> io::Result<()> {
    let (installed, outcome) = sync_channel(1);
    std::thread::Builder::new().name("shutdown-clock".to_owned()).spawn(move || {
        let runtime = match Builder::new_current_thread().enable_io().enable_time().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(installed.send(Err(error))),
        };
        runtime.block_on(async {
            match Signals::take_over() {
                Ok(signals) => {
                    // Nobody waits for this answer any more only if the process is already gone.
                    let _ = installed.send(Ok(()));
                    run(config, progress, request, work, signals).await;
                }
                Err(error) => drop(installed.send(Err(error))),
            }
        });
    })?;
    outcome.recv().unwrap_or_else(|_| Err(io::Error::other("the shutdown thread ended at its start")))
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn take_over() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// What the clock may need to say why it forces the exit, before the bare thread does it without a word.
const LOG_GRACE: Duration = Duration::from_millis(100);

async fn run(
    config: Config,
    progress: watch::Sender<Progress>,
    request: Arc<Notify>,
    work: Work,
    mut signals: Signals,
) {
    let reason = tokio::select! {
        name = signals.next() => name,
        () = request.notified() => "request",
    };
    let since = Instant::now();
    arm(config.force + LOG_GRACE);
    let enter = |phase| progress.send_replace(Progress { phase, since: Some(since) });
    enter(Phase::Lameduck);
    work.leave();
    tracing::info!(reason, "leaving: not ready, still accepting");
    let clock = async {
        sleep_until(since + config.lameduck).await;
        enter(Phase::Draining);
        tracing::info!("draining: listener closes, open connections are served");
        sleep_until(since + config.drain).await;
        enter(Phase::Closing);
        tracing::info!("closing: requests in flight finish, new ones are refused");
        sleep_until(since + config.force).await;
    };
    tokio::select! {
        () = clock => force("not finished in time", since.elapsed()),
        name = signals.next() => force(name, since.elapsed()),
    }
}

/// Ends the process after this time even if the clock is stuck, for instance in writing a log line to a stalled
/// standard error.
#[expect(clippy::exit, clippy::disallowed_methods, reason = "a thread of its own that does nothing else")]
fn arm(after: Duration) {
    let armed = std::thread::Builder::new().name("forced-exit".into()).spawn(move || {
        std::thread::sleep(after);
        std::process::exit(FORCED);
    });
    if let Err(error) = armed {
        tracing::warn!(%error, "no thread for the forced exit; the clock alone ends this process");
    }
}

#[expect(
    clippy::exit,
    clippy::disallowed_methods,
    reason = "the one way out that needs nothing of a main runtime"
)]
fn force(reason: &str, after: Duration) -> ! {
    tracing::error!(reason, after_ms = after.as_millis() as u64, "exit by force");
    // The line may be written by a thread of its own.
    std::thread::sleep(LOG_GRACE / 2);
    std::process::exit(FORCED)
}
