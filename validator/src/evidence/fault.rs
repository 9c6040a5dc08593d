//! Facts about faults: what a middle agent did to the connections of one pod, and what it met.

use serde::{Deserialize, Serialize};

use super::Millis;

/// What a middle agent does to the connections of one pod. Health pings (statements learned while there was no
/// load) pass through [`Hang`](Self::Hang), [`Hold`](Self::Hold), [`Trial`](Self::Trial), [`Slow`](Self::Slow) and [`Fail`](Self::Fail), set-up statements of new
/// connections too; only [`Failure::Startup`] meets every new connection.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(tag = "kind", rename_all = "kebab-case", rename_all_fields = "camelCase", deny_unknown_fields)]
pub enum Fault {
    /// Every statement waits before the dependency until the fault ends or its caller gives up. One that was given
    /// up never reaches the dependency.
    Hang,
    /// Every byte waits, pings too, and goes on when the fault ends: a hiccup of the network.
    Stall,
    /// Statements wait `hold_ms` each and go on, at most `at_most` of the pod at a time; the others pass.
    Hold {
        /// How long one statement waits.
        hold_ms: u64,
        /// How many wait at the same time.
        at_most: u32,
    },
    /// The first statement waits; further ones that come meanwhile are counted and wait too.
    Trial {
        /// How long the first statement waits; with [`TrialEnd::GiveUp`] it waits until its caller gives up.
        hold_ms: u64,
        /// What becomes of it.
        end: TrialEnd,
    },
    /// Statements are answered with an error in the dependency's place and never reach it.
    Fail {
        /// The error, which also says what it meets.
        with: Failure,
        /// Of a hundred statements that it could meet, so many are met, evenly spread; the others go on.
        #[serde(default = "all")]
        share_percent: u8,
    },
    /// Every statement waits `delay_ms` and goes on: a dependency that works and is slow.
    Slow {
        /// How long each statement waits.
        delay_ms: u64,
    },
    /// Every read of a cache is answered as if the key did not exist; writes go on.
    Miss,
    /// Present connections are closed at once; new ones are reset when accepted.
    Refuse,
    /// Connections are reset at the next byte the pod sends; new ones are accepted and end the same way.
    Reset,
    /// Connections stay and new ones are accepted, but nothing is passed on: a black hole.
    Silence,
}

/// An error in the dependency's place.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Failure {
    /// Postgres: every statement, with this SQLSTATE (five characters, appendix A of the manual).
    Sqlstate(String),
    /// Postgres: 25006, read_only_sql_transaction, for what writes on connections that were open when the fault began.
    /// New ones work: a fail-over, with the old primary still there to be read. To who asks for it, an old connection says
    /// that it leads to a replica (`SHOW transaction_read_only`, `pg_is_in_recovery()`).
    FailOver,
    /// Postgres: new connections, with this SQLSTATE in place of the answer to their startup message. Those that are open
    /// when the fault begins are cut once.
    Startup(String),
    /// Redis: `-READONLY` for commands that write, as a replica says it, on connections that were open when the fault
    /// began; new ones lead to the new primary.
    ReadOnly,
    /// HTTP: every request, with this status of the 4xx or 5xx class; calls of gRPC are answered NOT_FOUND for 404, else
    /// UNAVAILABLE.
    Status(u16),
    /// gRPC: every call, with this status; requests that are none are answered 404 for NOT_FOUND, else 503.
    Grpc(u16),
}

fn all() -> u8 {
    100
}

/// What becomes of the trial statement.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum TrialEnd {
    /// It goes on after the wait, and the fault is over.
    Forward,
    /// It never goes on; once its caller has given up, the fault goes on as [`Fault::Hang`].
    GiveUp,
}

impl Fault {
    /// The name in reports.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Hang => "hang",
            Self::Stall => "stall",
            Self::Hold { .. } => "hold",
            Self::Trial { .. } => "trial",
            Self::Fail { .. } => "fail",
            Self::Slow { .. } => "slow",
            Self::Miss => "miss",
            Self::Refuse => "refuse",
            Self::Reset => "reset",
            Self::Silence => "silence",
        }
    }

    /// Whether the dependency is lost altogether, health pings included.
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::Refuse | Self::Reset | Self::Silence)
    }
}

/// One fault on one pod, from its begin to its end.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct FaultFact {
    /// When the agent began it.
    pub began: Millis,
    /// When it ended: taken back, run out, or over by itself.
    pub ended: Millis,
    /// Name of the dependency.
    pub dependency: String,
    /// The pod.
    pub pod: String,
    /// The fault.
    pub fault: Fault,
    /// When it first touched something of the pod: a statement, a byte, a connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_hit: Option<Millis>,
    /// When it last did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_hit: Option<Millis>,
    /// How often it did.
    pub hits: u64,
    /// For [`Fault::Fail`]: statements that it could have met; `hits` of them were. With [`Failure::Sqlstate`] a
    /// transaction counts once.
    #[serde(default)]
    pub met: u64,
    /// For [`Failure::FailOver`]: when it last met a connection that it had met a second or more before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub met_again: Option<Millis>,
    /// For [`Failure::FailOver`]: writes since the last hit that went on, over connections opened since it began.
    #[serde(default)]
    pub spared: u64,
    /// Statements whose wait was over before the fault, in order; the first [`FaultFact::MAX_HELD`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<Held>,
    /// For a trial: further statements that came while the first one waited.
    #[serde(default)]
    pub others: u64,
}

impl FaultFact {
    /// Waiting statements kept in full.
    pub const MAX_HELD: usize = 1_000;
}

/// One statement that had to wait.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub struct Held {
    /// When it came.
    pub from: Millis,
    /// When it went on or was given up.
    pub to: Millis,
    /// Whether its caller gave up: the connection was closed.
    pub given_up: bool,
}
