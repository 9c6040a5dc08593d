use std::path::PathBuf;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::Invalid;
use crate::telemetry::signal::Signal;

/// Authorities of one's own.
pub(super) struct Authorities {
    pub(super) pem: Vec<u8>,
    /// At least one.
    pub(super) certificates: Vec<CertificateDer<'static>>,
}

/// Those that the environment names, if it does, as the specification has it: a PEM file with the authorities that a
/// collector's certificate may be from.
pub(super) fn read(signal: Signal) -> Result<Option<Authorities>, Invalid> {
    let Some(path) = signal.variable("CERTIFICATE").map(PathBuf::from) else { return Ok(None) };
    let refused = |why: String| {
        let read = format!("{} ({why})", path.display());
        Invalid::new("OTEL_EXPORTER_OTLP_CERTIFICATE", read, "a PEM file with at least one certificate")
    };
    let pem = std::fs::read(&path).map_err(|error| refused(error.to_string()))?;
    let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let certificates = parsed.map_err(|error| refused(error.to_string()))?;
    if certificates.is_empty() {
        return Err(refused("no certificate in it".to_owned()));
    }
    Ok(Some(Authorities { pem, certificates }))
}
