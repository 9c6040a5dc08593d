//! The platform that is this machine: copies of a command as processes, behind a switch of our own.

mod behind;
mod copies;
mod copy;
mod descriptors;
mod folder;
mod guardian;
mod instance;
mod kubelet;
mod led;
mod located;
mod machine;
mod marked;
mod objects;
mod port;
mod process;
mod programs;
mod record;
mod said;
mod sink;
mod store;
mod switch;
mod target;
mod threads;

use std::net::{IpAddr, Ipv4Addr};

pub use descriptors::raise_limit;
pub use folder::{Root, RunFolder};
pub use guardian::{COMMAND, Guardian, guard};
pub use machine::Machine;
pub use target::{assumed, planned};

use self::located::Located;
use self::store::Store;
use self::switch::Switch;

/// Where all copies and agents listen.
const HOST: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
