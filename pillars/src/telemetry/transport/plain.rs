use opentelemetry_otlp::Protocol::HttpBinary;
use opentelemetry_otlp::{ExporterBuildError, WithExportConfig};

use super::{Destination, Lifeline, Transport};
use crate::Invalid;
use crate::telemetry::Error;

/// OTLP over HTTP, by the client that the exporter brings.
pub(super) fn transport<B: WithExportConfig, E>(
    to: Destination<'_>,
    exporter: B,
    build: impl FnOnce(B) -> Result<E, ExporterBuildError>,
) -> Result<Transport<E>, Error> {
    if to.is_encrypted() {
        return Err(refused(to));
    }
    let exporter = exporter.with_protocol(HttpBinary).with_endpoint(to.endpoint);
    let otlp = build(exporter.with_timeout(to.signal.timeout()))?;
    Ok(Transport { otlp, lifeline: Lifeline::None })
}

/// What takes more than this.
pub(super) fn refused(to: Destination<'_>) -> Error {
    let expected = "http:// and OTLP over HTTP, or the cargo feature `otlp-full`";
    Invalid::new("endpoint", to.endpoint, expected).into()
}
