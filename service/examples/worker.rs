//! A service without a port for users: it takes messages from a queue, and finishes the one that it has when it is told to
//! leave. `cargo run --example worker`, then `curl localhost:8081/ready` and Ctrl-C in here.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use golive_pillars::service::{self, Error};
use golive_pillars::telemetry::opentelemetry::trace::FutureExt as _;
use http::HeaderMap;
use tokio::time::sleep;

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    service: service::Args,
}

/// As queues have them: a client of one copies the headers into such a map.
struct Message {
    number: u64,
    headers: HeaderMap,
}

/// Takes a message from wherever they come; dropped while it waits, it has taken none.
async fn next(last: u64) -> Message {
    sleep(Duration::from_millis(10)).await;
    Message { number: last + 1, headers: HeaderMap::new() }
}

async fn handle(number: u64) {
    tracing::info!(number, "message taken");
    sleep(Duration::from_secs(1)).await;
    tracing::info!(number, "message finished");
}

fn main() -> Result<ExitCode, Error> {
    Cli::parse().service.builder("worker", env!("CARGO_PKG_VERSION"))?.run(async |start| {
        let telemetry = start.telemetry().clone();
        let work = start.shutdown().work();
        let leaving = work.leaving().clone();
        work.spawn(async move {
            let mut number = 0;
            while let Some(message) = leaving.run_until_cancelled(next(number)).await {
                number = message.number;
                // In the trace of its sender, or in one of its own.
                let trace = telemetry.root("message", &message.headers);
                handle(number).with_context(trace).await;
            }
        });
        Ok::<_, Error>(start.work())
    })
}
