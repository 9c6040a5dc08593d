use opentelemetry_otlp::{ExporterBuildError, WithExportConfig, WithTonicConfig};
use tokio::runtime::{Builder, Runtime};
use tonic::transport::{Certificate, ClientTlsConfig};

use super::{Destination, Lifeline, Transport, authorities};
use crate::telemetry::Error;

/// The runtime of the connection, a thread of its own: what is sent is sent from a thread without one.
#[derive(Debug)]
pub(in crate::telemetry) struct Driver(Option<Runtime>);

impl Drop for Driver {
    fn drop(&mut self) {
        // Wherever that happens, it waits for nothing.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// OTLP over gRPC.
pub(super) fn transport<B: WithExportConfig + WithTonicConfig, E>(
    to: Destination<'_>,
    exporter: B,
    build: impl FnOnce(B) -> Result<E, ExporterBuildError>,
) -> Result<Transport<E>, Error> {
    let runtime =
        Builder::new_multi_thread().worker_threads(1).thread_name("otlp-grpc").enable_all().build()?;
    let entered = runtime.enter();
    let mut exporter = exporter.with_endpoint(to.endpoint).with_timeout(to.signal.timeout());
    if to.is_encrypted() {
        let tls = ClientTlsConfig::new().with_webpki_roots();
        let own = authorities::read(to.signal)?.map(|own| Certificate::from_pem(own.pem));
        exporter = exporter.with_tls_config(tls.ca_certificates(own));
    }
    let otlp = build(exporter)?;
    drop(entered);
    Ok(Transport { otlp, lifeline: Lifeline::Runtime(Driver(Some(runtime))) })
}
