//! The server as the API server meets it: TLS with an authority of its own.

use std::time::Duration;

use golive_pillars::shutdown::Phase;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_rustls::client::TlsStream;

use super::super::certificate::Certificate;
use super::super::knowledge::Knowledge;
use super::super::server::serve;
use super::tls::{Authority, Keeping, connect};
use super::{BARE, app, deployment, review};
use crate::cluster::fake::Fake;

const PATIENCE: Duration = Duration::from_mins(1);

/// A server.
pub(super) struct Served {
    authority: Authority,
    port: u16,
    fake: Fake,
    phase: watch::Sender<Phase>,
    done: tokio::task::JoinHandle<()>,
}

/// One that knows of no run.
async fn served(name: &str) -> Served {
    served_with(name, async |_, _| {}).await
}

/// One that learns something before it is asked.
pub(super) async fn served_with(name: &str, learn: impl AsyncFnOnce(&Fake, &Knowledge)) -> Served {
    let authority = Authority::new(name);
    let (fake, knowledge, app) = app().await;
    learn(&fake, &knowledge).await;
    let certificate = Certificate::read(&authority.0).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, phase) = watch::channel(Phase::Running);
    let done = tokio::spawn(async move {
        tokio::select! {
            () = certificate.follow() => {}
            () = serve(listener, app, certificate.clone(), phase) => {}
        }
    });
    Served { authority, port, fake, phase: sender, done }
}

impl Served {
    async fn connect(&self, trusted: &Authority) -> std::io::Result<TlsStream<TcpStream>> {
        connect(TcpStream::connect(("127.0.0.1", self.port)).await?, &trusted.0).await
    }

    pub(super) async fn client(&self) -> Keeping {
        Keeping::over(self.connect(&self.authority).await.unwrap()).await
    }
}

async fn ask(client: &mut Keeping, path: &str, reason: &str) -> Value {
    let object = deployment(&[&format!("users@{BARE}")], reason);
    let answer = client.post(path, review(&object, None, "ann").to_string()).await.unwrap();
    assert_eq!(answer.status().as_u16(), 200);
    let review: Value = serde_json::from_slice(answer.body()).unwrap();
    assert_eq!(
        (&review["apiVersion"], &review["response"]["uid"]),
        (&"admission.k8s.io/v1".into(), &"r1".into())
    );
    review["response"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_server_is_answered_over_tls_by_the_authority_that_it_knows() {
    let stranger = Authority::new("stranger");
    let server = served("answered").await;
    let mut client = server.client().await;
    let denied = ask(&mut client, "/go", "").await;
    assert_eq!(denied["allowed"], false);
    assert!(denied["status"]["message"].as_str().unwrap().contains("this would prove it"), "{denied}");
    let warned = ask(&mut client, "/warn", "").await;
    assert!(
        warned["allowed"] == true && warned["warnings"][0].as_str().unwrap().contains("would deny"),
        "{warned}"
    );
    let audited = ask(&mut client, "/audit", "").await;
    assert!(audited["allowed"] == true && audited["auditAnnotations"]["decision"] == "refused", "{audited}");
    let refused = server.connect(&stranger).await.unwrap_err();
    assert!(refused.to_string().contains("invalid peer certificate"), "{refused}");
    let answer = client.post("/go", "{}".to_owned()).await.unwrap();
    assert_eq!(answer.status().as_u16(), 422, "no review at all");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_broke_the_glass_and_why_stands_in_an_event() {
    let server = served("glass").await;
    assert_eq!(ask(&mut server.client().await, "/go", "INC-7").await["allowed"], true);
    let all = server.fake.paths();
    let [event] = all.as_slice() else { panic!("{all:?}") };
    assert!(event.starts_with("/api/v1/namespaces/shop/events/users."), "{event}");
    let event = server.fake.get(event).unwrap();
    assert!(event["message"].as_str().unwrap().starts_with("ann broke the glass: INC-7."), "{event}");
    assert_eq!((&event["reason"], &event["involvedObject"]["uid"]), (&"BreakGlass".into(), &"u1".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewed_certificate_is_shown_and_a_half_written_one_is_not() {
    let server = served("renewed").await;
    let folder = &server.authority.0;
    let shown = async || {
        let stream = server.connect(&server.authority).await.unwrap();
        stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
    };
    let first = shown().await;
    let key = std::fs::read(folder.join("tls.key")).unwrap();
    std::fs::write(folder.join("tls.key"), &key[..40]).unwrap();
    assert!(Certificate::read(folder).is_err());
    assert_eq!(shown().await, first);
    server.authority.certify();
    let renewed = async {
        while shown().await == first {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, renewed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_leaves_answers_on_old_connections_and_takes_no_new_one() {
    let server = served("leaves").await;
    let (mut kept, mut idle) = (server.client().await, server.client().await);
    ask(&mut kept, "/audit", "").await;
    ask(&mut idle, "/audit", "").await;
    server.phase.send_replace(Phase::Draining);
    let closed = async {
        while server.connect(&server.authority).await.is_ok() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, closed).await.unwrap();
    ask(&mut kept, "/audit", "").await;
    server.phase.send_replace(Phase::Closing);
    timeout(PATIENCE, server.done).await.unwrap().unwrap();
    drop(idle);
}
