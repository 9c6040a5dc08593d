//! Facts of the middle agents: the calls of each pod at each dependency, and what the agents could stand before.

use serde::{Deserialize, Serialize};

use super::Millis;
use crate::config::Protocol;

/// A middle agent, or why there is none for a dependency.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct MiddleFact {
    /// When it stood there, or was found impossible.
    pub at: Millis,
    /// Name of the dependency.
    pub dependency: String,
    /// What the target connects to: a Service, or a host and its port.
    pub service: String,
    /// What is spoken.
    pub protocol: Protocol,
    /// How its clock stood to ours (already subtracted from its facts), or why no agent can stand there.
    pub standing: Result<MiddleClock, String>,
}

/// How the clock of a middle agent stood to the validator's.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub struct MiddleClock {
    /// Agent minus validator.
    pub offset_ms: f64,
    /// Half of the shortest round trip.
    pub uncertainty_ms: f64,
}

/// Something that takes the belief in the interposition away.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct MiddleTrouble {
    /// When it was seen.
    pub at: Millis,
    /// Name of the dependency.
    pub dependency: String,
    /// What was seen.
    pub trouble: Trouble,
}

/// What can go wrong with a middle agent.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Trouble {
    /// The agent was gone or did not answer, and what it had seen until then is lost.
    Lost(String),
    /// The agent had no word from us for 15 s and forwarded everything for a while.
    FailedOpen,
    /// The connections are encrypted: statements cannot be counted.
    Encrypted,
    /// The target said something that the agent cannot read, for this reason: it was passed on and is not counted.
    Unread(String),
    /// Something was seen and not kept, for this reason.
    Incomplete(String),
    /// The dependency did not take a connection although no fault of ours was in force: it is sick by itself.
    Unreached(String),
}

impl Trouble {
    /// Why the agent's record is not to be believed; nothing if it still is.
    pub fn disbelief(&self) -> Option<String> {
        Some(match self {
            Self::Lost(why) => format!("the middle agent was lost: {why}"),
            Self::FailedOpen => "the middle agent had no word from us and forwarded everything".to_owned(),
            Self::Encrypted => "the connections are encrypted".to_owned(),
            Self::Unread(why) => format!("what the target says cannot be read: {why}"),
            Self::Incomplete(why) => format!("the record is incomplete: {why}"),
            Self::Unreached(_) => return None,
        })
    }
}

/// One second of one pod at one dependency.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct CallFact {
    /// Start of the second.
    pub at: Millis,
    /// Name of the dependency.
    pub dependency: String,
    /// The pod.
    pub pod: String,
    /// Statements, commands or requests that came from the pod in each tenth of the second, whether or not a fault
    /// kept them from going on; health pings apart.
    pub calls: [u32; 10],
    /// Health pings: statements that also come without load.
    pub pings: u32,
    /// Statements that set a new connection up.
    #[serde(default)]
    pub set_up: u32,
    /// Connections opened by the pod.
    pub opened: u32,
    /// Connections of the pod open at the end of the second.
    pub open: u32,
    /// Bytes that the pod sent over connections that are not followed: all with protocol tcp, else what is not understood.
    #[serde(default)]
    pub sent: u64,
    /// Bytes that it was sent over them.
    #[serde(default)]
    pub received: u64,
}

impl CallFact {
    /// Calls of the whole second.
    pub fn total(&self) -> u32 {
        self.calls.iter().sum()
    }
}

/// The trace context of a request that a pod sent to an HTTP dependency.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct OutgoingFact {
    /// When it came by.
    pub at: Millis,
    /// Name of the dependency.
    pub dependency: String,
    /// The pod.
    pub pod: String,
    /// Trace id of its `traceparent`, 32 hex digits; absent without a valid header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Parent span id, 16 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
}
