//! The platform that is this machine: copies of a command as processes, behind a switch of our own.

mod folder;
mod guardian;
mod kubelet;
mod located;
mod marked;
mod process;
mod programs;
mod store;
mod switch;

use std::net::TcpListener;

pub use folder::{Root, RunFolder};
pub use guardian::{COMMAND, Guardian, guard};
pub use located::Located;
pub use process::{End, Process, Program};
pub use store::Store;
pub use switch::{Endpoint, Switch};

use crate::failure::Failure;

/// A port that nobody listens on. Somebody else may take it before it is used: then its user does not start, and says so.
fn free_port() -> Result<u16, Failure> {
    let found = TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    Ok(found.map_err(|e| Failure::environment(format!("no free port: {e}")))?.port())
}
