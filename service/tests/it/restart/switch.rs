use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::net::{TcpListener, TcpStream};

/// What a Service is to its clients: a new connection goes to the next endpoint, and stays there.
pub(super) struct Switch {
    pub(super) port: u16,
    endpoints: Arc<Mutex<Vec<u16>>>,
}

impl Switch {
    pub(super) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let endpoints = Arc::new(Mutex::new(Vec::<u16>::new()));
        let (list, turn) = (Arc::clone(&endpoints), AtomicUsize::new(0));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let turn = turn.fetch_add(1, Ordering::Relaxed);
                let endpoint = {
                    let list = list.lock().unwrap();
                    list[turn % list.len()]
                };
                tokio::spawn(connect(client, endpoint));
            }
        });
        Self { port, endpoints }
    }

    pub(super) fn add(&self, endpoint: u16) {
        self.endpoints.lock().unwrap().push(endpoint);
    }

    pub(super) fn remove(&self, endpoint: u16) {
        self.endpoints.lock().unwrap().retain(|each| *each != endpoint);
    }
}

/// The client meets what the endpoint does: a refused connection ends its own.
async fn connect(mut client: TcpStream, endpoint: u16) -> io::Result<()> {
    let mut server = TcpStream::connect(("127.0.0.1", endpoint)).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    tokio::io::copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
