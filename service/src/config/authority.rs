use std::path::Path;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use super::error::{ConfigError, value};

/// Authorities of one's own, beside those that are compiled in.
pub(super) struct Authority {
    /// The file.
    pub(super) pem: Vec<u8>,
    /// What it holds, at least one.
    pub(super) certificates: Vec<CertificateDer<'static>>,
}

impl Authority {
    /// Reads the file that `variable` names, if it names one.
    pub(super) fn found(variable: &'static str, path: Option<&Path>) -> Result<Option<Self>, ConfigError> {
        let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) else { return Ok(None) };
        let refused = |why: &str| {
            let read = format!("{} ({why})", path.display());
            value(variable, read, "a PEM file with at least one certificate of an authority")
        };
        let pem = std::fs::read(path).map_err(|error| refused(&error.to_string()))?;
        let parsed: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let certificates = parsed.map_err(|error| refused(&error.to_string()))?;
        if certificates.is_empty() {
            return Err(refused("no certificate in it"));
        }
        let mut roots = RootCertStore::empty();
        for certificate in &certificates {
            roots.add(certificate.clone()).map_err(|error| refused(&error.to_string()))?;
        }
        Ok(Some(Self { pem, certificates }))
    }
}
