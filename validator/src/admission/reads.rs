//! Reads of the API server that failed. What was known before is answered from all the same, so that somebody must be told.

use golive_pillars::metrics::prometheus_client::metrics::counter::Counter;
use golive_pillars::metrics::prometheus_client::metrics::family::Family;
use golive_pillars::metrics::prometheus_client::registry::Registry;

/// What is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// The runs of a namespace, by a watch.
    Runs,
    /// The report of one of them.
    Report,
    Policy,
}

impl Read {
    const ALL: [Self; 3] = [Self::Runs, Self::Report, Self::Policy];

    fn name(self) -> &'static str {
        match self {
            Self::Runs => "runs",
            Self::Report => "report",
            Self::Policy => "policy",
        }
    }
}

/// How many failed. Clones share the counters.
#[derive(Clone)]
pub(super) struct Failures(Family<[(&'static str, &'static str); 1], Counter>);

impl Failures {
    pub(super) fn new() -> Self {
        let failures = Self(Family::default());
        // A series that is there from the start shows its first increase.
        for read in Read::ALL {
            drop(failures.0.get_or_create(&[("what", read.name())]));
        }
        failures
    }

    pub(super) fn count(&self, what: Read) {
        self.0.get_or_create(&[("what", what.name())]).inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Reads of the API server that failed; what was known before stands";
        registry.register("golive_admission_read_failures", help, self.0.clone());
    }
}
