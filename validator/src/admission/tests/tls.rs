//! An authority, certificates of it, and clients that trust it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use axum::http::{Request, Response, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A folder with an authority, as `ca.pem`, and a certificate of it; it goes with this.
pub(super) struct Authority(pub(super) PathBuf);

impl Drop for Authority {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).ok();
    }
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("golive-admission-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let authority = Self(folder);
        authority.openssl("req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority");
        let names = "subjectAltName=DNS:golive-admission.golive.svc\nbasicConstraints=CA:FALSE\n";
        std::fs::write(authority.0.join("names"), names).unwrap();
        authority.certify();
        authority
    }

    /// Another certificate, as the pair of a Secret.
    pub(super) fn certify(&self) {
        self.openssl("req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout tls.key -out tls.csr -subj /CN=admission");
        self.openssl(
            "x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out tls.crt",
        );
    }

    fn openssl(&self, arguments: &str) {
        let output =
            Command::new("openssl").current_dir(&self.0).args(arguments.split(' ')).output().unwrap();
        assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// A client of whoever this authority has certified.
pub(super) async fn connect<S>(stream: S, trusted: &Path) -> std::io::Result<TlsStream<S>>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted.join("ca.pem")).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let versions = builder.with_safe_default_protocol_versions().unwrap();
    let config = versions.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("golive-admission.golive.svc").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// A client that keeps its connection.
pub(super) struct Keeping(SendRequest<Full<Bytes>>);

impl Keeping {
    pub(super) async fn over<S>(stream: S) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self(sender)
    }

    pub(super) async fn post(&mut self, path: &str, body: String) -> hyper::Result<Response<Bytes>> {
        self.0.ready().await?;
        let request = Request::post(path)
            .header(header::HOST, "golive-admission.golive.svc")
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .unwrap();
        let (head, body) = self.0.send_request(request).await?.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }
}
