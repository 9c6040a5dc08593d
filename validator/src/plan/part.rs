//! The parts of an experiment that a run can leave out. What every run does that proves: the rolls, the baseline, the quiet
//! phase.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::config::{Dependency, Protocol};

/// One thing that is done to the dependencies of a target, and that some checks cannot do without.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// Every call to a dependency with a breaker hangs; then comes one trial.
    Hang,
    /// The first trial of one pod fails, so that the next one comes an open time later.
    FailedTrial,
    /// The network of one pod stands still for some seconds; its database is restarted.
    Hiccups,
    /// One pod is without its collector, and ends so.
    Collector,
    /// Some calls of one pod fail, then many; or what they ask for is not there.
    FailingCalls,
    /// Calls of one pod are slow, below their deadline.
    SlowCalls,
    /// Clients hang up before calls are answered.
    HangUps,
    /// Old connections lead to a server that is read-only.
    FailOver,
    /// The server takes no new connection.
    ConnectionLimit,
    /// Writes to the cache fail.
    ReadOnlyCache,
    /// Each pod loses one data store, then all, then the other one.
    Loss,
}

/// What a part disturbs, so that it cannot be beside another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// All pods: it stands alone.
    EveryPod,
    /// One pod: others go through something else meanwhile.
    OnePod,
}

impl Part {
    /// All of them, in the order in which a run does them.
    pub const ALL: [Self; 11] = [
        Self::Hang,
        Self::FailedTrial,
        Self::Hiccups,
        Self::Collector,
        Self::FailingCalls,
        Self::SlowCalls,
        Self::HangUps,
        Self::FailOver,
        Self::ConnectionLimit,
        Self::ReadOnlyCache,
        Self::Loss,
    ];

    /// What a run of at most five minutes does: the two outages that every service meets.
    pub const QUICK: [Self; 2] = [Self::Hang, Self::Loss];

    /// The name on the command line, in the evidence and in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hang => "hang",
            Self::FailedTrial => "failed-trial",
            Self::Hiccups => "hiccups",
            Self::Collector => "collector",
            Self::FailingCalls => "failing-calls",
            Self::SlowCalls => "slow-calls",
            Self::HangUps => "hang-ups",
            Self::FailOver => "fail-over",
            Self::ConnectionLimit => "connection-limit",
            Self::ReadOnlyCache => "read-only-cache",
            Self::Loss => "loss",
        }
    }

    /// The part without which it cannot be done.
    pub fn follows(self) -> Option<Self> {
        match self {
            Self::FailedTrial | Self::Hiccups => Some(Self::Hang),
            _ => None,
        }
    }

    /// Whom it disturbs.
    pub fn reach(self) -> Reach {
        match self {
            Self::Hang | Self::Loss => Reach::EveryPod,
            _ => Reach::OnePod,
        }
    }

    /// What has to be declared for it.
    pub fn needs(self) -> &'static str {
        match self {
            Self::Hang | Self::FailedTrial | Self::Hiccups | Self::SlowCalls | Self::HangUps => {
                "a dependency with a breaker"
            }
            Self::FailingCalls => "a breaker before Postgres or HTTP",
            Self::Collector => "a collector",
            Self::FailOver | Self::ConnectionLimit => "a Postgres",
            Self::ReadOnlyCache => "a Redis",
            Self::Loss => "a data store",
        }
    }

    /// Whether that is declared.
    pub fn is_possible(self, dependencies: &[Dependency]) -> bool {
        let speaks = |protocol| move |d: &Dependency| d.protocol == protocol;
        let some = |wanted: &dyn Fn(&Dependency) -> bool| dependencies.iter().any(wanted);
        match self {
            Self::Hang | Self::FailedTrial | Self::Hiccups | Self::SlowCalls | Self::HangUps => {
                some(&|d| d.breaker.is_some())
            }
            Self::FailingCalls => {
                some(&|d| d.breaker.is_some() && matches!(d.protocol, Protocol::Postgres | Protocol::Http))
            }
            Self::Collector => some(&speaks(Protocol::Otlp)),
            Self::FailOver | Self::ConnectionLimit => some(&speaks(Protocol::Postgres)),
            Self::ReadOnlyCache => some(&speaks(Protocol::Redis)),
            Self::Loss => some(&|d| d.protocol.can_be_lost()),
        }
    }

    /// All parts: what a run does unless it is told otherwise, and what runs did before they could be told.
    pub fn all() -> BTreeSet<Self> {
        Self::ALL.into()
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|part| part.name() == text);
        found.ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|part| part.name()).collect();
            format!("`{text}` is no part of the experiment: expected one of {}", names.join(", "))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Part;

    #[test]
    fn the_name_of_a_part_is_the_same_everywhere() {
        for part in Part::ALL {
            assert_eq!(part.name().parse(), Ok(part));
            assert_eq!(serde_json::to_value(part).unwrap(), part.name());
        }
        assert!("hicups".parse::<Part>().unwrap_err().contains("hiccups, collector"));
    }
}
