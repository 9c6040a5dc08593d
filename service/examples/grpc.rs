//! A gRPC service on the same clock: what `grpc.health.v1` says follows readiness, and clients are told by GOAWAY.
//! `cargo run --example grpc`, then `grpcurl -plaintext localhost:8080 grpc.health.v1.Health/Check`.

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use golive_pillars::health::{self, Health};
use golive_pillars::service::{self, Error};
use tokio::time::sleep;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    service: service::Args,
}

/// Says over gRPC what `/ready` says over HTTP.
async fn follow(health: Health, reporter: HealthReporter) {
    let mut told = None;
    loop {
        let ready = health.readiness().is_ready();
        // Whoever watches hears of changes alone.
        if told.replace(ready) != Some(ready) {
            let status = if ready { ServingStatus::Serving } else { ServingStatus::NotServing };
            reporter.set_service_status("", status).await;
        }
        sleep(Duration::from_millis(250)).await;
    }
}

fn main() -> Result<ExitCode, Error> {
    Cli::parse().service.builder("greeter", env!("CARGO_PKG_VERSION"))?.run(async |start| {
        let (reporter, grpc_health) = health_reporter();
        let grpc = Routes::new(grpc_health).into_axum_router();
        Ok::<_, Error>(start.serve(|health| {
            tokio::spawn(follow(health.clone(), reporter));
            grpc.merge(health::routes(health))
        }))
    })
}
