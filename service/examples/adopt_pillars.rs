//! A service that is not ours takes all four pillars: `cargo run --example adopt_pillars`, then
//! `curl localhost:8080/price`, `curl localhost:8081/ready`, `curl localhost:8081/metrics`.

use axum::{Router, routing::get};
use clap::Parser as _;
use golive_pillars::breaker::{Breaker, Class, Config};
use golive_pillars::health::{self, Need, Probe};
use golive_pillars::service::{self, Error};
use golive_pillars::telemetry::TraceLayer;

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    service: service::Args,
}

struct Quotes;

impl Probe for Quotes {
    async fn ping(&mut self) -> Result<(), String> {
        Ok(())
    }
}

async fn price(quotes: Breaker) -> &'static str {
    let class = |answer: &Result<_, Error>| if answer.is_ok() { Class::Success } else { Class::Failure };
    quotes.call_classified(async { Ok("42") }, class).await.unwrap_or("no price")
}

fn main() -> Result<std::process::ExitCode, Error> {
    Cli::parse().service.builder("prices", env!("CARGO_PKG_VERSION"))?.run(async |mut start| {
        let quotes = start.breaker("quotes", Config::default())?;
        let traced = TraceLayer::new(start.telemetry().clone());
        let prices = Router::new().route("/price", get(move || price(quotes))).layer(traced);
        let start = start.dependency("quotes", Need::Required, Quotes);
        Ok::<_, Error>(start.serve(|health| prices.merge(health::routes(health))))
    })
}
