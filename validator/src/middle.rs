//! The middle agent: stands between a target and one dependency, counts, holds, breaks, and gives way.
//!
//! It forwards every connection to the dependency; all are the target's. Only those whose origin is known as that of a
//! pod may meet a fault and are told of. Every fault carries its own end, and without a word from the validator for
//! [`FAIL_OPEN`] the agent forwards everything.

mod agent;
mod arrivals;
mod call;
mod carriage;
mod context;
mod counts;
mod credentials;
mod desk;
mod downward;
mod export;
mod fail_over;
mod in_force;
mod miss;
mod origin;
mod postgres;
mod presence;
mod protocol;
mod proxy;
mod redis;
mod resp;
mod server;
mod spans;
mod upward;
mod waiting;
mod wire;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

pub use agent::Agent;
pub use carriage::{listen, reach};
pub use desk::{Desk, Limits};
pub use origin::Origin;
pub use server::serve;
pub(crate) use server::serve_guarded;

use crate::config::Protocol;
use crate::evidence::{Fault, Millis};

/// Port of the agent's API, on the loopback address of its pod: only a port-forward reaches it.
pub const MIDDLE_PORT: u16 = 7071;

/// Without a word from the validator for this long every fault ends.
pub const FAIL_OPEN: Duration = Duration::from_secs(15);

/// What one agent stands before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MiddlePlan {
    /// Name of the dependency in the evidence.
    pub dependency: String,
    /// What is spoken.
    pub protocol: Protocol,
    /// What the trace ids of the run begin with: only these traces are copied.
    pub trace_prefix: String,
}

/// One port of the dependency, `LISTEN=HOST:PORT` on the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PortPlan {
    /// Where the agent listens.
    pub listen: u16,
    /// Where the dependency is.
    pub upstream: HostPort,
}

/// A port of a host, `HOST:PORT`. A name is resolved anew for every connection: what it stands for may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPort {
    /// Its name, or its address; one of version 6 without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// `PUT /targets`: the pods of the target by where their connections come from; replaces the list before.
pub type Targets = BTreeMap<Origin, String>;

/// `PUT /faults`: every fault there is to be; replaces the list before. An order with a known id goes on untouched.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct FaultOrder {
    /// Unique in the run.
    pub id: u64,
    /// The pod.
    pub pod: String,
    /// The fault.
    pub fault: Fault,
    /// It ends after this time whatever happens.
    pub for_ms: u64,
}

/// `PUT /learning`: while on, every statement of the target's pods is learned as a health ping.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Learning {
    /// On or off.
    pub on: bool,
}

/// `GET /status`. Any request to the API counts as a word.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct MiddleStatus {
    /// The agent's clock, Unix milliseconds.
    pub now_ms: f64,
    /// Random, new with each start of the process: what another one saw is lost.
    pub instance: u64,
    /// Whether the dependency has accepted a connection of the agent.
    pub reached: bool,
    /// What the pods of the target did so far, by name.
    pub pods: BTreeMap<String, PodNow>,
    /// Open connections of the target's pods.
    pub connections: u64,
    /// Open connections from addresses of which it is not told (yet) which pod has them.
    pub unknown: u64,
    /// How often it had no word for [`FAIL_OPEN`] and ended all faults.
    pub failed_open: u32,
    /// Whether a connection of the target turned out encrypted.
    pub encrypted: bool,
    /// Statements learned as pings.
    pub learned: usize,
    /// Whether calls of gRPC have come.
    #[serde(default)]
    pub grpc: bool,
}

/// One pod of the target, as the agent sees it now.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub struct PodNow {
    /// Statements, commands or requests so far, pings apart.
    pub calls: u64,
    /// When the last of them came.
    pub last_call: Option<Millis>,
    /// Pings so far.
    pub pings: u64,
    /// Open connections.
    pub open: u32,
    /// The most of them at the begin of a second so far.
    pub most_open: u32,
    /// The fault in force, if any.
    pub fault: Option<FaultNow>,
}

/// A fault in force.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct FaultNow {
    /// The order's id.
    pub id: u64,
    /// How often it touched something.
    pub hits: u64,
    /// When it first did.
    pub first_hit: Option<Millis>,
    /// For a trial: whether its statement has gone on or was given up.
    pub released: bool,
}

impl HostPort {
    /// Resolves the name and connects to the first of its addresses that accepts. Dropping it leaves nothing behind.
    pub(crate) async fn connect(&self) -> std::io::Result<TcpStream> {
        TcpStream::connect((self.host.as_str(), self.port)).await
    }
}

impl From<SocketAddr> for HostPort {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

impl FromStr for HostPort {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.rsplit_once(':').and_then(|(host, port)| {
            let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            // Without brackets nobody can tell where an address of version 6 ends.
            let host = bare.or_else(|| (!host.contains(':')).then_some(host))?;
            Some(Self { host: host.to_owned(), port: port.parse().ok()? }).filter(|_| !host.is_empty())
        });
        parsed.ok_or_else(|| {
            format!("`{text}`: expected HOST:PORT, such as postgres.data:5432 or [fd00::7]:5432")
        })
    }
}

impl FromStr for PortPlan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || format!("`{text}`: expected LISTEN=HOST:PORT, such as 5432=postgres.data:5432");
        let (listen, upstream) = text.split_once('=').ok_or_else(wrong)?;
        Ok(Self { listen: listen.parse().map_err(|_| wrong())?, upstream: upstream.parse()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_leads_to_a_name_or_to_an_address_of_either_version() {
        for (text, host) in
            [("1=db.data:5432", "db.data"), ("1=10.0.0.7:5432", "10.0.0.7"), ("1=[fd00::7]:5432", "fd00::7")]
        {
            let plan: PortPlan = text.parse().unwrap();
            assert_eq!((plan.listen, plan.upstream.host.as_str(), plan.upstream.port), (1, host, 5432));
        }
        for wrong in ["db:5432", "1=db", "1=:5432", "x=db:1", "1=fd00::7:5432", "1=db:70000"] {
            assert!(wrong.parse::<PortPlan>().unwrap_err().contains("expected"), "{wrong}");
        }
    }
}
