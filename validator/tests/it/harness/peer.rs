use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::time::timeout;

use super::postgres_port;

/// No answer takes this long in a test.
const PATIENCE: Duration = Duration::from_secs(10);

/// One connection to Postgres.
pub(crate) struct Postgres(pub(crate) PgConnection);

impl Postgres {
    pub(crate) async fn connect(address: SocketAddr, database: &str) -> Result<Self, sqlx::Error> {
        let options = PgConnectOptions::new().host("127.0.0.1").port(address.port()).username("postgres");
        let options = options.database(database).ssl_mode(PgSslMode::Disable);
        timeout(PATIENCE, options.connect()).await.unwrap().map(Self)
    }

    /// Runs one statement, as a driver does: parse, bind, execute.
    pub(crate) async fn run(&mut self, statement: &'static str) -> Result<u64, sqlx::Error> {
        let ran = timeout(PATIENCE, sqlx::query(statement).execute(&mut self.0)).await;
        ran.unwrap().map(|done| done.rows_affected())
    }

    /// The same as text, in one message.
    pub(crate) async fn run_simple(&mut self, statement: &'static str) -> Result<u64, sqlx::Error> {
        timeout(PATIENCE, self.0.execute(statement)).await.unwrap().map(|done| done.rows_affected())
    }

    pub(crate) async fn number(&mut self, statement: &'static str) -> i64 {
        timeout(PATIENCE, sqlx::query_scalar(statement).fetch_one(&mut self.0)).await.unwrap().unwrap()
    }

    pub(crate) async fn close(self) {
        self.0.close().await.unwrap();
    }
}

/// A new database with an empty table `notes`; its name and where it is without an agent.
pub(crate) async fn database() -> (String, SocketAddr) {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let name = format!("middle_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let direct = SocketAddr::from((Ipv4Addr::LOCALHOST, postgres_port()));
    let mut admin = Postgres::connect(direct, "postgres").await.unwrap();
    admin.0.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
    let mut fresh = Postgres::connect(direct, &name).await.unwrap();
    fresh.run_simple("CREATE TABLE notes (note text)").await.unwrap();
    (name, direct)
}

/// One connection to Redis, word for word.
pub(crate) struct Redis(TcpStream);

impl Redis {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    /// One command and its answer; nothing when the connection has ended.
    pub(crate) async fn ask(&mut self, words: &[&str]) -> Option<String> {
        let bulk: Vec<String> = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
        let command = format!("*{}\r\n{}", words.len(), bulk.concat());
        self.0.write_all(command.as_bytes()).await.ok()?;
        let mut bytes = [0; 512];
        let length = timeout(PATIENCE, self.0.read(&mut bytes)).await.unwrap().ok()?;
        (length > 0).then(|| String::from_utf8_lossy(&bytes[..length]).into_owned())
    }
}

/// Leads to `address` from 127.0.0.2, where no pod of the target is.
pub(crate) async fn from_elsewhere(address: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind(SocketAddr::from(([127, 0, 0, 2], 0))).unwrap();
            let mut server = socket.connect(address).await.unwrap();
            tokio::spawn(async move { tokio::io::copy_bidirectional(&mut client, &mut server).await });
        }
    });
    here
}

/// A server that says what it hears; its port.
pub(crate) async fn echo() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let (mut from, mut to) = client.split();
                tokio::io::copy(&mut from, &mut to).await
            });
        }
    });
    port
}

/// A web server; its port.
pub(crate) async fn web(router: Router) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}
