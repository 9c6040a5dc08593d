use std::sync::Arc;
use std::time::Duration;

use opentelemetry_otlp::Protocol::HttpBinary;
use opentelemetry_otlp::{ExporterBuildError, WithExportConfig, WithHttpConfig};
use reqwest::blocking::Client;
use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, RootCertStore};

use super::{Destination, Lifeline, Transport, authorities};
use crate::Invalid;
use crate::telemetry::Error;
use crate::telemetry::signal::Signal;

/// OTLP over HTTP or HTTPS.
pub(super) fn transport<B: WithExportConfig + WithHttpConfig, E>(
    to: Destination<'_>,
    exporter: B,
    build: impl FnOnce(B) -> Result<E, ExporterBuildError>,
) -> Result<Transport<E>, Error> {
    let limit = to.signal.timeout();
    let roots = if to.is_encrypted() { roots(to.signal)? } else { RootCertStore::empty() };
    let exporter = exporter.with_protocol(HttpBinary).with_endpoint(to.endpoint).with_timeout(limit);
    let otlp = build(exporter.with_http_client(client(roots, limit)?))?;
    Ok(Transport { otlp, lifeline: Lifeline::None })
}

/// Those that are compiled in, since an image from scratch has no others, and those of one's own.
fn roots(signal: Signal) -> Result<RootCertStore, Invalid> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(own) = authorities::read(signal)? {
        roots.add_parsable_certificates(own.certificates);
    }
    Ok(roots)
}

/// With its own provider of cryptography: without one, reqwest takes that of the process, which may have none.
fn client(roots: RootCertStore, limit: Duration) -> Result<Client, Error> {
    let tls = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has the default protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Client::builder().tls_backend_preconfigured(tls).timeout(limit).build().map_err(Error::Client)
}
