//! The middle agent: stands between a target and one dependency, counts, holds, breaks, and gives way.
//!
//! It forwards every connection to the dependency. Only connections whose source address is a pod of the target may meet
//! a fault; what all others send is passed on as it comes, and followed only to know when they are idle. Every fault carries its own end, and without
//! a word from the validator for [`FAIL_OPEN`] the agent forwards everything.

mod agent;
mod counts;
mod desk;
mod downward;
mod export;
mod http;
mod in_force;
mod postgres;
mod protocol;
mod redis;
mod server;
mod spans;
mod upward;
mod wire;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use agent::{Agent, listen};
pub use desk::{Desk, Limits};
pub use server::serve;

use crate::config::Protocol;
use crate::evidence::{Fault, Millis};

/// Port of the agent's API, on the loopback address of its pod: only a port-forward reaches it.
pub const MIDDLE_PORT: u16 = 7071;

/// Without a word from the validator for this long every fault ends.
pub const FAIL_OPEN: Duration = Duration::from_secs(15);

/// Without a word for this long the guardian has restored the selectors: the agent hands its connections back.
pub const ABANDONED: Duration = Duration::from_secs(90);

/// A hand-back that was asked for cuts what is still open after this time.
pub const HAND_BACK: Duration = Duration::from_mins(1);

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
    /// `HOST:PORT` of the dependency; a name is looked up for every connection, as its clients would.
    pub upstream: Arc<str>,
}

/// `PUT /targets`: the pods of the target by address; replaces the list before.
pub type Targets = BTreeMap<IpAddr, String>;

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
    /// Open connections of others.
    pub others: u64,
    /// How often it had no word for [`FAIL_OPEN`] and ended all faults.
    pub failed_open: u32,
    /// Connections cut at the end of a hand-back.
    pub cut: u64,
    /// Whether a connection of the target turned out encrypted.
    pub encrypted: bool,
    /// Statements learned as pings.
    pub learned: usize,
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

impl std::str::FromStr for PortPlan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once('=').and_then(|(listen, upstream)| {
            let (host, port) = upstream.rsplit_once(':')?;
            port.parse::<u16>().ok().filter(|_| !host.is_empty())?;
            Some(Self { listen: listen.parse().ok()?, upstream: upstream.into() })
        });
        parsed.ok_or_else(|| format!("`{text}`: expected LISTEN=HOST:PORT, such as 5432=db.example.com:5432"))
    }
}
