//! The certificate of the server: read from files, and read again when they change, since whoever issues it renews it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::sleep;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::server::{ClientHello, ResolvesServerCert};
use tokio_rustls::rustls::sign::CertifiedKey;

use crate::failure::Failure;

/// How often the files are looked at. The kubelet brings a changed Secret within a minute or two.
const PERIOD: Duration = Duration::from_secs(5);

/// What is shown to whoever connects.
pub(super) struct Certificate {
    folder: PathBuf,
    shown: RwLock<Arc<CertifiedKey>>,
}

impl Certificate {
    /// Reads `tls.crt` (the certificate, and those between it and its authority) and `tls.key`.
    ///
    /// # Errors
    /// Exit 2 with the file that cannot be used.
    pub(super) fn read(folder: &Path) -> Result<Arc<Self>, Failure> {
        let shown = pair(folder).map_err(|why| {
            Failure::usage(format!("--certificate {}: {why}", folder.display()))
                .hint("expected tls.crt and tls.key in PEM, as a Secret of type kubernetes.io/tls is mounted")
        })?;
        Ok(Arc::new(Self { folder: folder.to_owned(), shown: RwLock::new(Arc::new(shown)) }))
    }

    /// Reads the files again and again, and never ends. A pair that cannot be used, such as one that is half written,
    /// leaves the one before in place.
    pub(super) async fn follow(&self) {
        let mut told = String::new();
        loop {
            sleep(PERIOD).await;
            match pair(&self.folder) {
                Ok(new) if new.cert != self.shown().cert => {
                    *self.shown.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(new);
                    tracing::info!("the certificate is another one");
                }
                Ok(_) => told.clear(),
                Err(why) if why == told => {}
                Err(why) => {
                    tracing::warn!(why, "the certificate is not read again");
                    told = why;
                }
            }
        }
    }

    fn shown(&self) -> Arc<CertifiedKey> {
        self.shown.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ResolvesServerCert for Certificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.shown())
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Certificate").field(&self.folder).finish()
    }
}

/// A certificate and the key that fits it; two small files in memory, so that nobody waits for a disk.
fn pair(folder: &Path) -> Result<CertifiedKey, String> {
    let (chain, key) = (folder.join("tls.crt"), folder.join("tls.key"));
    let of = |path: &Path, why: &dyn fmt::Display| format!("{}: {why}", path.display());
    let certificates: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(&chain).map_err(|e| of(&chain, &e))?.collect();
    let certificates = certificates.map_err(|e| of(&chain, &e))?;
    if certificates.is_empty() {
        return Err(of(&chain, &"there is no certificate in it"));
    }
    let private = PrivateKeyDer::from_pem_file(&key).map_err(|e| of(&key, &e))?;
    CertifiedKey::from_der(certificates, private, &default_provider()).map_err(|e| of(&key, &e))
}
