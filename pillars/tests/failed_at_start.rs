//! An application that cannot be put together.

use std::io::{self, Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use golive_pillars::service::{App, Error, Service};
use golive_pillars::telemetry::Config;
use http::HeaderMap;

const SPAN: &str = "migration";

/// Answers every request, and says so of one that names the span.
fn collect(listener: &TcpListener, received: &Sender<()>) -> io::Result<()> {
    for stream in listener.incoming() {
        let (mut stream, mut request, mut part) = (stream?, Vec::new(), [0; 4_096]);
        while !request.windows(SPAN.len()).any(|bytes| bytes == SPAN.as_bytes()) {
            match stream.read(&mut part)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                length => request.extend_from_slice(&part[..length]),
            }
        }
        let _ = received.send(());
        stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")?;
    }
    Ok(())
}

#[test]
fn what_led_to_an_error_is_exported() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/v1/traces", listener.local_addr().unwrap());
    let (sender, received) = channel();
    std::thread::spawn(move || collect(&listener, &sender));
    let config = Config::new("failed", "1").endpoint(endpoint).sample_ratio(1.0);
    let ended = Service::builder(config).port(0).management_port(0).run(async |start| {
        drop(start.telemetry().root(SPAN, &HeaderMap::new()));
        Err::<App, _>("no database")
    });
    assert!(
        matches!(&ended, Err(Error::Application(error)) if error.to_string() == "no database"),
        "{ended:?}"
    );
    // By then: the process would end with what is returned.
    received.recv_timeout(Duration::from_millis(100)).expect("the span");
}
