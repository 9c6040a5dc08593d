use std::sync::Arc;
use std::time::Duration;

use opentelemetry_otlp::Protocol::HttpBinary;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use reqwest::blocking::Client;
use rustls::crypto::ring::default_provider;
use rustls::{ClientConfig, RootCertStore};

use super::{Lifeline, Transport, authorities, is_encrypted};
use crate::Invalid;
use crate::telemetry::Error;

/// OTLP over HTTP or HTTPS; connects when the first spans are sent.
pub(super) fn transport(endpoint: &str, limit: Duration) -> Result<Transport, Error> {
    let roots = if is_encrypted(endpoint) { roots()? } else { RootCertStore::empty() };
    let builder = SpanExporter::builder().with_http().with_protocol(HttpBinary).with_endpoint(endpoint);
    let otlp = builder.with_timeout(limit).with_http_client(client(roots, limit)?).build()?;
    Ok(Transport { otlp, lifeline: Lifeline::None })
}

/// Those that are compiled in, since an image from scratch has no others, and those of one's own.
fn roots() -> Result<RootCertStore, Invalid> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(own) = authorities::read()? {
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
