//! The platform that is this machine: copies of a command as processes, behind a switch of our own.

mod copies;
mod copy;
mod folder;
mod guardian;
mod instance;
mod kubelet;
mod led;
mod located;
mod machine;
mod marked;
mod objects;
mod process;
mod programs;
mod record;
mod sink;
mod store;
mod switch;
mod target;
mod threads;

use std::net::{IpAddr, Ipv4Addr, TcpListener};

pub use folder::{Root, RunFolder};
pub use guardian::{COMMAND, Guardian, guard};
pub use machine::Machine;
pub use target::planned;

use self::located::Located;
use self::store::Store;
use self::switch::Switch;
use crate::failure::Failure;

/// Where all copies and agents listen.
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A port that nobody listens on. Somebody else may take it before it is used: then its user does not start, and says so.
fn free_port() -> Result<u16, Failure> {
    let found = TcpListener::bind((HOST, 0)).and_then(|listener| listener.local_addr());
    Ok(found.map_err(|e| Failure::environment(format!("no free port: {e}")))?.port())
}
