//! Facts about requests and connections.

use serde::{Deserialize, Serialize};

use super::Millis;

/// How a request meets a connection; each is a kind of client in the field.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// A new connection for every request.
    New,
    /// Kept connections that are always in use.
    Busy,
    /// Kept connections used after gaps of up to 15 s, and of less than the server's own time-out for idle ones.
    Idle,
    /// Requests that write (POST, PUT, PATCH, DELETE), on kept connections.
    Post,
    /// New connections to one pod, past the Service: requests whose answers can be told apart by pod.
    Direct,
}

impl Class {
    /// All classes that go through the Service, in report order.
    pub const ALL: [Self; 4] = [Self::New, Self::Busy, Self::Idle, Self::Post];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::New => "new connection",
            Self::Busy => "keep-alive busy",
            Self::Idle => "keep-alive idle",
            Self::Post => "POST",
            Self::Direct => "pod-direct",
        }
    }

    /// Whether connections outlive a request.
    pub fn keeps_connections(self) -> bool {
        !matches!(self, Self::New | Self::Direct)
    }
}

/// What became of a request. Only `Answered` is an answer; the rest is what a user calls an outage.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// A complete response with this status.
    Answered(u16),
    /// A complete response with this status of the 2xx class, whose body lacks the text that was declared to be in it.
    OtherBody(u16),
    /// The connection was refused or unreachable.
    Refused,
    /// No connection within the deadline.
    ConnectTimeout,
    /// Reset before a complete response.
    Reset,
    /// Closed before a complete response.
    Closed,
    /// No complete response within the deadline.
    Timeout,
    /// Never sent: the agent had too many in flight. Says nothing about the service.
    Unsent,
    /// The client hung up before the answer, since it was told to wait no longer. Says nothing about the service.
    GaveUp,
}

impl Outcome {
    /// Whether it is wrong whatever was asked: no complete answer, or one of the 5xx class. Which other statuses are
    /// wrong is for the timeline to say, that knows what was expected.
    pub fn is_failure(self) -> bool {
        match self {
            Self::Answered(status) => status >= 500,
            Self::Unsent | Self::GaveUp => false,
            _ => true,
        }
    }

    /// Whether it is a complete response, right or not.
    pub fn is_response(self) -> bool {
        matches!(self, Self::Answered(_) | Self::OtherBody(_))
    }

    /// Whether it tells what the service did.
    pub fn is_telling(self) -> bool {
        !matches!(self, Self::Unsent | Self::GaveUp)
    }

    /// The name in reports.
    pub fn name(self) -> String {
        match self {
            Self::Answered(status) => format!("status {status}"),
            Self::OtherBody(status) => format!("status {status} with another body"),
            Self::Refused => "refused".into(),
            Self::ConnectTimeout => "connect timeout".into(),
            Self::Reset => "reset".into(),
            Self::Closed => "closed without an answer".into(),
            Self::Timeout => "timeout".into(),
            Self::Unsent => "unsent".into(),
            Self::GaveUp => "given up by its client".into(),
        }
    }
}

/// Counts of answers by their time: below 0.5, 1, 1.5, 2, 3, 5, ... ms.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(transparent)]
pub struct Histogram(pub [u32; Self::BUCKETS]);

impl Histogram {
    /// Upper ends of the buckets in ms; the last bucket has none.
    pub const BOUNDS_MS: [f64; Self::BUCKETS - 1] = [
        0.5, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0, 20.0, 50.0, 100.0, 200.0, 500.0, 1000.0, 2000.0, 3000.0,
        5000.0,
    ];

    const BUCKETS: usize = 18;

    /// Counts one answer.
    pub fn record(&mut self, took_ms: f64) {
        let bucket = Self::BOUNDS_MS.iter().position(|bound| took_ms < *bound).unwrap_or(Self::BUCKETS - 1);
        self.0[bucket] += 1;
    }

    /// Adds another histogram.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    /// The time below which this share of answers lies, straight lines assumed within a bucket; the bound of the last
    /// finite bucket when it lies beyond.
    pub fn quantile_ms(&self, share: f64) -> f64 {
        let total: u64 = self.0.iter().map(|n| u64::from(*n)).sum();
        let wanted = total as f64 * share;
        let (mut seen, mut low) = (0.0, 0.0);
        for (count, bound) in self.0.iter().zip(Self::BOUNDS_MS) {
            let count = f64::from(*count);
            if seen + count >= wanted && count > 0.0 {
                return low + (bound - low) * (wanted - seen) / count;
            }
            (seen, low) = (seen + count, bound);
        }
        low
    }

    /// The first bound at or above this time; the time itself beyond the last one.
    pub fn bound_from(ms: f64) -> f64 {
        Self::BOUNDS_MS.into_iter().find(|bound| *bound >= ms).unwrap_or(ms)
    }

    /// Answers in the buckets that begin at or above this time.
    pub fn slower_than(&self, ms: f64) -> u32 {
        let first =
            Self::BOUNDS_MS.iter().position(|bound| *bound >= ms).map_or(Self::BUCKETS, |bucket| bucket + 1);
        self.0.iter().skip(first).sum()
    }

    /// The bucket bound below which this share of answers lies; infinite in the last bucket.
    pub fn quantile_bound_ms(&self, share: f64) -> f64 {
        let total: u64 = self.0.iter().map(|n| u64::from(*n)).sum();
        let wanted = (total as f64 * share).ceil() as u64;
        let mut seen = 0;
        for (count, bound) in self.0.iter().zip(Self::BOUNDS_MS) {
            seen += u64::from(*count);
            if seen >= wanted {
                return bound;
            }
        }
        f64::INFINITY
    }
}

/// One second of one request template in one class at one agent, by the time requests were due.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct SecondFact {
    /// Start of the second.
    pub at: Millis,
    /// The agent.
    pub agent: String,
    /// The node it runs on.
    pub node: String,
    /// The class.
    pub class: Class,
    /// Requests due.
    pub due: u32,
    /// Of these, left on time.
    pub on_time: u32,
    /// Outcomes and how often each came.
    pub outcomes: Vec<(Outcome, u32)>,
    /// Connections of this class open when the second began.
    pub open: u32,
    /// Times of the answers.
    pub times: Histogram,
    /// For pod-direct requests: the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// Number of the request in the plan.
    #[serde(default)]
    pub template: usize,
    /// Answers 503 without Retry-After.
    #[serde(default)]
    pub without_retry_after: u32,
}

impl SecondFact {
    /// From its start to its end.
    pub fn during(&self) -> (Millis, Millis) {
        (self.at, self.at + 999)
    }

    /// Whether it counts this request.
    pub fn holds(&self, request: &RequestFact) -> bool {
        let (from, to) = self.during();
        let mine = (self.class, self.template, &self.agent, &self.pod);
        mine == (request.class, request.template, &request.agent, &request.pod)
            && (from..=to).contains(&request.due)
    }
}

/// One request in full.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RequestFact {
    /// When it was due.
    pub due: Millis,
    /// When it left, or was given up.
    pub sent: Millis,
    /// From leaving to the end of the answer.
    pub took_ms: f64,
    /// The agent.
    pub agent: String,
    /// The node it runs on.
    pub node: String,
    /// The class.
    pub class: Class,
    /// Method and path.
    pub request: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The error in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// For a request sent with the sampled flag: its trace id, 32 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
    /// Its parent span id, 16 hex digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent_id: Option<String>,
    /// For a pod-direct request: the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// Number of the request in the plan.
    #[serde(default)]
    pub template: usize,
}

impl RequestFact {
    /// From when it was due to the end of its answer.
    pub fn during(&self) -> (Millis, Millis) {
        (self.due, self.sent.max(self.due) + self.took_ms.ceil() as Millis)
    }
}

/// A kept connection came to its end.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct ConnectionFact {
    /// When it was opened.
    pub opened: Millis,
    /// When its end was noticed.
    pub ended: Millis,
    /// The agent.
    pub agent: String,
    /// The class.
    pub class: Class,
    /// Requests it carried.
    pub requests: u32,
    /// Whether an answer said `Connection: close` before.
    pub announced: bool,
    /// Whether the server ended it (else we did, at the end of the load).
    pub by_server: bool,
    /// Whether the server ended it by its own time-out for idle connections, as far as that was learned.
    pub timed_out: bool,
}
