//! What a run saw: one header and an append-only list of facts, saved as zstd NDJSON.
//!
//! Line 1 is the header, line n the fact with number n; findings cite these numbers.

mod cluster;
mod dependency;
mod fault;
mod file;
mod heartbeat;
mod shift;
mod step;
mod trace;
mod traffic;

use serde::{Deserialize, Serialize};

pub use cluster::{AgentFact, Change, Gap, ObjectFact, ObjectKind, ProbeFact, ProbeTarget};
pub use dependency::{CallFact, MiddleClock, MiddleFact, MiddleTrouble, OutgoingFact, Trouble};
pub use fault::{Failure, Fault, FaultFact, Held, TrialEnd};
pub use file::{EvidenceError, read, write};
pub use heartbeat::{Heartbeat, Who};
pub use step::{Edge, Step, StepFact, StepTrouble};
pub use trace::{ExportFact, Refusal, Span, SpanKind, TraceFact};
pub use traffic::{Class, ConnectionFact, Histogram, Outcome, RequestFact, SecondFact};

use crate::plan::Plan;

/// Unix time in milliseconds, on the validator's clock.
pub type Millis = i64;

/// Version of the file format.
pub const SCHEMA: &str = "golive.dev/evidence/v2";

/// The first line of an evidence file.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Header {
    /// [`SCHEMA`].
    pub schema: String,
    /// Version of the validator that wrote it.
    pub validator: String,
    /// When the run started.
    pub started: Millis,
    /// What was to be done, and the limits to judge by.
    pub plan: Plan,
}

impl Header {
    /// That of a run which this version of the validator began at a moment.
    pub fn of(plan: &Plan, started: Millis) -> Self {
        let validator = env!("CARGO_PKG_VERSION").to_owned();
        Self { schema: SCHEMA.to_owned(), validator, started, plan: plan.clone() }
    }
}

/// One thing that was seen, with the time it was seen.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(tag = "fact", rename_all = "kebab-case")]
pub enum Fact {
    /// A step of the experiment began or ended.
    Step(StepFact),
    /// A watch event, or an object of the first list.
    Object(ObjectFact),
    /// A watch was interrupted and had to list again.
    Gap(Gap),
    /// A load agent and its clock.
    Agent(AgentFact),
    /// One second of one class at one agent.
    Second(SecondFact),
    /// A request worth telling in full: failed, late, slow or sampled.
    Request(RequestFact),
    /// A kept connection came to its end.
    Connection(ConnectionFact),
    /// A stretch of equal answers of one pod's endpoint.
    Probe(ProbeFact),
    /// The spans of one trace, as they left the pods for the collector.
    Trace(TraceFact),
    /// Spans that the collector did not take.
    Export(ExportFact),
    /// A middle agent stands before a dependency, or cannot.
    Middle(MiddleFact),
    /// Something happened to a middle agent.
    Trouble(MiddleTrouble),
    /// One second of one pod at one dependency.
    Call(CallFact),
    /// A fault on one pod, from begin to end.
    Fault(FaultFact),
    /// The trace context of a request to an HTTP dependency.
    Outgoing(OutgoingFact),
    /// A process of ours came late, or is alive.
    Heartbeat(Heartbeat),
}

impl Fact {
    /// When it was seen.
    pub fn at(&self) -> Millis {
        match self {
            Self::Step(f) => f.at,
            Self::Object(f) => f.at,
            Self::Gap(f) => f.at,
            Self::Agent(f) => f.at,
            Self::Second(f) => f.at,
            Self::Request(f) => f.due,
            Self::Connection(f) => f.ended,
            Self::Probe(f) => f.from,
            Self::Trace(f) => f.at,
            Self::Export(f) => f.at,
            Self::Middle(f) => f.at,
            Self::Trouble(f) => f.at,
            Self::Call(f) => f.at,
            Self::Fault(f) => f.began,
            Self::Outgoing(f) => f.at,
            Self::Heartbeat(f) => f.at,
        }
    }
}

/// A complete record of one run.
#[derive(Clone, Debug)]
pub struct Evidence {
    /// The first line.
    pub header: Header,
    /// All further lines, in time order.
    pub facts: Vec<Fact>,
}

impl Evidence {
    /// Puts the facts in time order; equal times keep the order in which they were recorded.
    pub fn new(header: Header, mut facts: Vec<Fact>) -> Self {
        facts.sort_by_key(Fact::at);
        Self { header, facts }
    }

    /// The plan of the run.
    pub fn plan(&self) -> &Plan {
        &self.header.plan
    }

    /// Facts with their line numbers in the file.
    pub fn numbered(&self) -> impl Iterator<Item = (usize, &Fact)> {
        self.facts.iter().enumerate().map(|(index, fact)| (index + 2, fact))
    }
}
