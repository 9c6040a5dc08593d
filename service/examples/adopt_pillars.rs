//! A service that is not ours takes all four pillars: `cargo run --example adopt_pillars`, then
//! `curl localhost:8080/price`, `curl localhost:8081/ready`, `curl localhost:8081/metrics`.

use std::error::Error;

use axum::{Router, routing::get};
use clap::Parser as _;
use golive_pillars::breaker::{self, Breaker, Class, Classify};
use golive_pillars::flags::{Prefix, Prefixed};
use golive_pillars::health::{self, Health, Probe};
use golive_pillars::shutdown::{self, Phase, Shutdown};
use golive_pillars::telemetry::{self, Telemetry, TraceLayer, logs};
use prometheus_client::registry::Registry;

#[derive(clap::Parser)]
struct Args {
    #[arg(long, env = "PORT", default_value = "8080")]
    port: u16,
    #[arg(long, env = "MANAGEMENT_PORT", default_value = "8081")]
    management_port: u16,
    #[command(flatten)]
    quotes: Prefixed<Quotes, breaker::Args>,
    #[command(flatten)]
    health: health::Args,
    #[command(flatten)]
    shutdown: shutdown::Args,
    #[command(flatten)]
    telemetry: telemetry::Args,
}

/// The dependency of this service, and how it fails.
#[derive(Clone)]
struct Quotes;

impl Prefix for Quotes {
    const NAME: &'static str = "quotes";
}

struct NoQuote;

impl Classify for NoQuote {
    fn class(&self) -> Class {
        Class::Failure
    }
}

impl Probe for Quotes {
    async fn ping(&mut self) -> Result<(), String> {
        Ok(())
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let args = Args::parse();
    logs::init(args.telemetry.log_format, args.telemetry.log_filter().parse()?)?;
    let shutdown = Shutdown::install(args.shutdown.config())?;
    let telemetry = Telemetry::start(&args.telemetry.config("prices", env!("CARGO_PKG_VERSION")))?;
    tokio::runtime::Runtime::new()?.block_on(async {
        let mut registry = Registry::default();
        let (breaker, breakers) =
            (Breaker::new("quotes", args.quotes.args.config())?, breaker::Metrics::default());
        let clock = shutdown.clone();
        let health = Health::builder(args.health.config())?
            .dependency("quotes", Quotes)
            .leaving(move || clock.phase() != Phase::Running)
            .start();
        breakers.watch(&breaker);
        breakers.register(&mut registry);
        health.register(&mut registry);
        shutdown.register(&mut registry);
        telemetry.register(&mut registry);
        let probes =
            health::management_routes(health.clone()).merge(golive_pillars::metrics::routes(registry));
        health::spawn_management(std::net::TcpListener::bind(("0.0.0.0", args.management_port))?, probes)?;

        let price = async move || breaker.call(async { Ok::<_, NoQuote>("42") }).await.unwrap_or("no price");
        let app = Router::new()
            .route("/price", get(price))
            .layer(TraceLayer::new(telemetry.clone()))
            .merge(health::routes(health));
        let listener = tokio::net::TcpListener::bind(("0.0.0.0", args.port)).await?;
        shutdown::serve(listener, app, &shutdown).await.finished().await;
        Ok::<_, Box<dyn Error>>(())
    })?;
    telemetry.flush(shutdown.flush_budget());
    Ok(())
}
