use std::time::Duration;

use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use tokio::runtime::{Builder, Runtime};
use tonic::transport::{Certificate, ClientTlsConfig};

use super::{Lifeline, Transport, authorities, is_encrypted};
use crate::telemetry::Error;

/// The runtime of the connection, a thread of its own: spans are exported from a thread without one.
#[derive(Debug)]
pub(in crate::telemetry::exporter) struct Driver(Option<Runtime>);

impl Drop for Driver {
    fn drop(&mut self) {
        // Wherever that happens, it waits for nothing.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// OTLP over gRPC; connects when the first spans are sent.
pub(super) fn transport(endpoint: &str, limit: Duration) -> Result<Transport, Error> {
    let runtime =
        Builder::new_multi_thread().worker_threads(1).thread_name("otlp-grpc").enable_all().build()?;
    let entered = runtime.enter();
    let mut builder = SpanExporter::builder().with_tonic().with_endpoint(endpoint).with_timeout(limit);
    if is_encrypted(endpoint) {
        let tls = ClientTlsConfig::new().with_webpki_roots();
        let own = authorities::read()?.map(|own| Certificate::from_pem(own.pem));
        builder = builder.with_tls_config(tls.ca_certificates(own));
    }
    let otlp = builder.build()?;
    drop(entered);
    Ok(Transport { otlp, lifeline: Lifeline::Runtime(Driver(Some(runtime))) })
}
