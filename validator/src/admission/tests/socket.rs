//! The server as the API server meets it: TLS with an authority of its own.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{Request, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use kube::runtime::watcher::Event;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::super::certificate::Certificate;
use super::super::knowledge::{Knowledge, Runs};
use super::super::record::Record;
use super::super::routes::{Gate, routes};
use super::super::server::serve;
use super::{BARE, deployment, review, rules};
use crate::cluster::fake::Fake;

const PATIENCE: Duration = Duration::from_mins(1);

/// A folder with an authority, as `ca.pem`.
fn authority(name: &str) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("golive-admission-{}-{name}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    openssl(
        &folder,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=authority",
    );
    std::fs::write(
        folder.join("names"),
        "subjectAltName=DNS:golive-admission.golive.svc\nbasicConstraints=CA:FALSE\n",
    )
    .unwrap();
    certify(&folder);
    folder
}

/// Another certificate of the authority, as the pair of a Secret.
fn certify(folder: &Path) {
    openssl(
        folder,
        "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout tls.key -out tls.csr -subj /CN=admission",
    );
    openssl(
        folder,
        "x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out tls.crt",
    );
}

fn openssl(folder: &Path, arguments: &str) {
    let output = Command::new("openssl").current_dir(folder).args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "openssl {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A server that knows of no run.
struct Served {
    port: u16,
    fake: Fake,
    leave: oneshot::Sender<()>,
    done: tokio::task::JoinHandle<()>,
}

async fn served(folder: &Path) -> Served {
    let (fake, client) = Fake::client().await;
    let knowledge = Arc::new(Knowledge::new(client.clone(), &["demo".into()], "default"));
    knowledge.heed("demo", Event::InitDone, &mut Runs::new()).await.unwrap();
    let certificate = Certificate::read(folder).unwrap();
    let app = routes(Gate::new(knowledge, rules(), Record::new(client)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (leave, left) = oneshot::channel::<()>();
    let done = tokio::spawn(async move {
        tokio::select! {
            () = certificate.follow() => {}
            () = serve(listener, app, certificate.clone(), async { drop(left.await) }, std::future::pending()) => {}
        }
    });
    Served { port, fake, leave, done }
}

async fn connect(port: u16, trusted: &Path) -> std::io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(trusted.join("ca.pem")).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let config = builder
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("golive-admission.golive.svc").unwrap();
    let stream = TcpStream::connect(("127.0.0.1", port)).await?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn post(stream: TlsStream<TcpStream>, path: &str, body: String) -> (u16, Bytes) {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::post(path)
        .header(header::HOST, "golive-admission.golive.svc")
        .header(header::CONTENT_TYPE, "application/json")
        .body(Full::new(Bytes::from(body)))
        .unwrap();
    let response = sender.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    (status, response.into_body().collect().await.unwrap().to_bytes())
}

async fn ask(server: &Served, folder: &Path, path: &str, reason: &str) -> Value {
    let object = deployment(&[&format!("users@{BARE}")], reason);
    let stream = connect(server.port, folder).await.unwrap();
    let (status, body) = post(stream, path, review(&object, None, "ann").to_string()).await;
    assert_eq!(status, 200);
    let review: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(
        (&review["apiVersion"], &review["response"]["uid"]),
        (&"admission.k8s.io/v1".into(), &"r1".into())
    );
    review["response"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_is_answered_over_tls_by_the_authority_that_it_knows() {
    let (folder, stranger) = (authority("answered"), authority("stranger"));
    let server = served(&folder).await;
    let denied = ask(&server, &folder, "/go", "").await;
    assert_eq!(denied["allowed"], false);
    assert!(denied["status"]["message"].as_str().unwrap().contains("this would prove it"), "{denied}");
    let warned = ask(&server, &folder, "/warn", "").await;
    assert!(
        warned["allowed"] == true && warned["warnings"][0].as_str().unwrap().contains("would deny"),
        "{warned}"
    );
    let audited = ask(&server, &folder, "/audit", "").await;
    assert!(audited["allowed"] == true && audited["auditAnnotations"]["decision"] == "refused", "{audited}");
    let refused = connect(server.port, &stranger).await.unwrap_err();
    assert!(refused.to_string().contains("invalid peer certificate"), "{refused}");
    let stream = connect(server.port, &folder).await.unwrap();
    assert_eq!(post(stream, "/go", "{}".to_owned()).await.0, 422, "no review at all");
    std::fs::remove_dir_all(folder).unwrap();
    std::fs::remove_dir_all(stranger).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_broke_the_glass_and_why_stands_in_an_event() {
    let folder = authority("glass");
    let server = served(&folder).await;
    assert_eq!(ask(&server, &folder, "/go", "INC-7").await["allowed"], true);
    let all = server.fake.paths();
    let [event] = all.as_slice() else { panic!("{all:?}") };
    assert!(event.starts_with("/api/v1/namespaces/shop/events/users."), "{event}");
    let event = server.fake.get(event).unwrap();
    assert!(event["message"].as_str().unwrap().starts_with("ann broke the glass: INC-7."), "{event}");
    assert_eq!((&event["reason"], &event["involvedObject"]["uid"]), (&"BreakGlass".into(), &"u1".into()));
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_and_a_half_written_one_is_not() {
    let folder = authority("renewed");
    let server = served(&folder).await;
    let shown = async || {
        let stream = connect(server.port, &folder).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    };
    let first = shown().await;
    let key = std::fs::read(folder.join("tls.key")).unwrap();
    std::fs::write(folder.join("tls.key"), &key[..40]).unwrap();
    assert!(Certificate::read(&folder).is_err());
    assert_eq!(shown().await, first);
    certify(&folder);
    let renewed = async {
        while shown().await == first {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, renewed).await.unwrap();
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_leaves_ends_its_idle_connections_and_takes_no_new_one() {
    let folder = authority("leaves");
    let server = served(&folder).await;
    let idle = connect(server.port, &folder).await.unwrap();
    ask(&server, &folder, "/audit", "").await;
    server.leave.send(()).unwrap();
    timeout(PATIENCE, server.done).await.unwrap().unwrap();
    drop(idle);
    assert!(connect(server.port, &folder).await.is_err());
    std::fs::remove_dir_all(folder).unwrap();
}
