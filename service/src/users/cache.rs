mod commands;
mod refresh;

use std::time::{Duration, SystemTime};

use fred::types::config::Config;
use opentelemetry::Context;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::User;
use super::metrics::{CopyFate, Metrics};
use commands::Commands;
use golive_pillars::flags::duration;
use golive_pillars::telemetry::Telemetry;
use refresh::Refresh;

/// Settings of the fallback copies in Redis.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Cache")]
#[group(skip)]
pub struct Args {
    /// Longest time for one command
    #[arg(long, env = "CACHE_TIMEOUT", default_value = "100ms", value_parser = duration::parse_positive)]
    pub cache_timeout: Duration,
    /// Age at which a copy is dropped: longer than an outage lasts
    #[arg(long, env = "CACHE_TTL", default_value = "1h", value_parser = duration::parse_positive)]
    pub cache_ttl: Duration,
    /// A copy is written again at most once in this time
    #[arg(long, env = "CACHE_REFRESH", default_value = "1s", value_parser = duration::parse_positive)]
    pub cache_refresh: Duration,
}

/// Copies waiting to be written; beyond that they are dropped, since the next read makes another.
const QUEUE: usize = 1_024;

/// Copies of users in Redis, written off the request path and read when Postgres cannot answer.
#[derive(Clone)]
pub struct Cache {
    commands: Commands,
    refresh: Refresh,
    queue: mpsc::Sender<Snapshot>,
    writer: TaskTracker,
    closing: CancellationToken,
    metrics: Metrics,
}

/// A copy that was read back.
pub(super) struct Cached {
    pub(super) user: User,
    pub(super) age: Duration,
}

struct Snapshot {
    user: User,
    at: SystemTime,
    /// The request that read the user; the write is part of its trace, though it may end later.
    cause: Context,
}

impl Cache {
    /// Starts to connect, and the task that writes.
    pub fn start(config: &Config, args: &Args, telemetry: Telemetry, metrics: &Metrics) -> Self {
        let commands = Commands::connect(config, args, telemetry);
        let (queue, copies) = mpsc::channel(QUEUE);
        let (writer, closing) = (TaskTracker::new(), CancellationToken::new());
        let refresh = Refresh::new(args.cache_refresh);
        let work = Writer {
            commands: commands.clone(),
            refresh: refresh.clone(),
            late: args.cache_refresh,
            metrics: metrics.clone(),
            closing: closing.clone(),
        };
        writer.spawn(work.run(copies));
        writer.close();
        Self { commands, refresh, queue, writer, closing, metrics: metrics.clone() }
    }

    /// Hands a copy that is due to the writer. Never waits: if the queue is full, the copy is dropped and counted.
    pub(super) fn keep(&self, user: &User) {
        // Asked here, since waking the writer costs more than all the rest.
        if !self.refresh.is_due(user.id) {
            return;
        }
        let copy = Snapshot { user: user.clone(), at: SystemTime::now(), cause: Context::current() };
        if self.queue.try_send(copy).is_err() {
            self.refresh.forget(user.id);
            self.metrics.cache_write(CopyFate::queue_full);
        }
    }

    /// Reads a copy; `None` if there is none or Redis does not answer in time.
    pub(super) async fn read(&self, id: i64) -> Option<Cached> {
        self.commands.get(id).await
    }

    /// Writes what is queued and ends the writer, for at most `limit`. Later copies are lost.
    pub async fn close(self, limit: Duration) {
        self.closing.cancel();
        if timeout(limit, self.writer.wait()).await.is_err() {
            tracing::debug!("copies left unwritten");
        }
    }
}

struct Writer {
    commands: Commands,
    refresh: Refresh,
    /// A copy that has waited this long is not written any more: one read later there is a fresher one, and a Redis
    /// that comes back is not to be run over by all that was queued without it.
    late: Duration,
    metrics: Metrics,
    closing: CancellationToken,
}

impl Writer {
    async fn run(self, mut copies: mpsc::Receiver<Snapshot>) {
        loop {
            tokio::select! {
                // What is queued by then is still received.
                () = self.closing.cancelled(), if !copies.is_closed() => copies.close(),
                copy = copies.recv() => match copy {
                    Some(copy) => self.write(copy).await,
                    None => return,
                },
            }
        }
    }

    async fn write(&self, copy: Snapshot) {
        if copy.at.elapsed().is_ok_and(|age| age > self.late) {
            self.refresh.forget(copy.user.id);
            self.metrics.cache_write(CopyFate::late);
        } else {
            let written = self.commands.set(copy).await;
            self.metrics.cache_write(if written { CopyFate::written } else { CopyFate::failed });
        }
    }
}
