//! `validator admission`: whoever brings an image into a closed namespace is asked for its GO (ADR 17).
//!
//! What is asked is read from the review, what is known from the runs that the operator keeps; between them stands
//! [`decide`], which is pure. Nothing is written but an Event where the glass was broken.

mod answer;
mod asked;
mod body;
mod certificate;
mod connection;
mod decide;
mod knowledge;
mod known;
mod mode;
mod patch;
mod reads;
mod record;
mod routes;
mod server;
#[cfg(test)]
mod tests;

use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use futures_util::future::join_all;
use golive_pillars::metrics::prometheus_client::registry::Registry;
use golive_pillars::shutdown::{Phase, Shutdown};
use tokio::net::TcpListener;
use tokio::sync::watch;

use self::certificate::Certificate;
use self::knowledge::{Knowledge, Learned};
use self::known::Rules;
use self::record::Record;
use self::routes::{Gate, routes};
use crate::failure::Failure;
use crate::{api_server, management};

/// What an admission webhook is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Namespaces whose runs prove images.
    pub namespaces: Vec<String>,
    /// The policy that a GO is held against; runs that were judged by another one prove nothing.
    pub policy: String,
    /// Repositories whose images need no GO, such as those of sidecars; one that ends in `/*` stands for all below it.
    pub exempt: Vec<String>,
    /// Service account of runs, in the namespace of their target: what it rolls is a run's own.
    pub account: String,
    /// Folder with `tls.crt` and `tls.key`, as a Secret of type `kubernetes.io/tls` is mounted.
    pub certificate: PathBuf,
    /// Port for the API server.
    pub port: u16,
    /// Port for `/health`, `/ready` and `/metrics`.
    pub management_port: u16,
}

/// Answers until a signal comes, and then until the last request is answered.
///
/// # Errors
/// Exit 2 without a cluster to connect to, without a certificate, or where a port is taken.
pub async fn admit(settings: Settings) -> Result<(), Failure> {
    let certificate = Certificate::read(&settings.certificate)?;
    let client = api_server::client().await?;
    let shutdown = management::clock()?;
    let listener = management::listen("port", settings.port)?;
    let knowledge = Arc::new(Knowledge::new(client.clone(), &settings.namespaces, &settings.policy));
    let record = Record::new(client);
    let mut registry = Registry::default();
    record.register(&mut registry);
    knowledge.register(&mut registry);
    management::open(settings.management_port, &shutdown, ("runs", Learned(knowledge.clone())), registry)?;
    let Settings { namespaces, exempt, account, port, .. } = settings;
    let rules = Rules { exempt, account, asked_in: namespaces.clone() };
    let app = routes(Gate::new(knowledge.clone(), rules, record));
    tracing::info!(port, "asked by the API server from now on");
    tokio::select! {
        () = answer(TcpListener::from_std(listener)?, app, &certificate, &shutdown) => {}
        () = learn(&knowledge, &namespaces) => {}
        () = certificate.follow() => {}
    }
    Ok(())
}

async fn answer(listener: TcpListener, app: Router, certificate: &Arc<Certificate>, clock: &Shutdown) {
    let (sender, phase) = watch::channel(Phase::Running);
    let ticking = async {
        for phase in [Phase::Lameduck, Phase::Draining, Phase::Closing] {
            clock.reached(phase).await;
            sender.send_replace(phase);
        }
        pending().await
    };
    tokio::select! {
        () = server::serve(listener, app, certificate.clone(), phase) => {}
        () = ticking => {}
    }
}

/// Follows runs and policy, and never ends.
async fn learn(knowledge: &Knowledge, namespaces: &[String]) {
    let runs = join_all(namespaces.iter().map(|namespace| knowledge.follow(namespace)));
    tokio::join!(knowledge.follow_policy(), runs);
}
