//! What a check is, and what it may say.

mod case;
mod finding;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use case::{Case, Struck};
pub use finding::{Finding, Outcome};

use crate::plan::Needs;
pub use crate::severity::Severity;
use crate::timeline::{Kind, Timeline};

/// One property of a production-ready service, and how it is judged from evidence.
///
/// Codes are `GL-<area><nnn>`: 0nn reads declarations, 1nn observes, 2nn needs an experiment.
#[derive(Debug)]
pub struct Check {
    /// The code; never used for anything else.
    pub id: &'static str,
    /// The property that should hold.
    pub slug: &'static str,
    /// The area.
    pub area: Area,
    /// What it means if it does not hold.
    pub severity: Severity,
    /// Why somebody on call cares.
    pub why: &'static str,
    /// How it is found out.
    pub how: &'static str,
    /// What to change.
    pub remedy: &'static str,
    /// Whose disturbance can look like a fault of the target here: a case that one of them overlaps is struck. Empty
    /// where nothing depends on time.
    pub rests_on: &'static [Kind],
    /// What of a run it cannot be judged without.
    pub needs: Needs,
    /// The judgement, as if nothing had disturbed the run: what did is taken into account by [`crate::judge`] alone.
    pub judge: fn(&Timeline) -> Finding,
}

/// The check of requests lost while pods are replaced. Nobody waives it, and reports know it by its code, which is never used
/// for anything else.
pub const LOST: &str = "GL-S201";

impl Check {
    /// Whether an organisation may decide otherwise: not of lost requests, and not of what tells whether a run can be
    /// believed, since a waiver there would turn what nobody knows into a GO.
    pub fn can_be_waived(&self) -> bool {
        self.id != LOST && (self.area != Area::Run || self.severity != Severity::Blocker)
    }
}

/// The areas, in report order.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, JsonSchema, PartialEq, Eq, PartialOrd, Ord)]
#[serde(rename_all = "kebab-case")]
pub enum Area {
    /// Pillar: traces.
    Tracing,
    /// Pillar: health and readiness.
    Health,
    /// Pillar: graceful shutdown.
    Shutdown,
    /// Pillar: circuit breaker.
    Breaker,
    /// The rolling deploy itself.
    Release,
    /// Whether the run can be believed.
    Run,
}

impl Area {
    /// All areas, in report order.
    pub const ALL: [Self; 6] =
        [Self::Tracing, Self::Health, Self::Shutdown, Self::Breaker, Self::Release, Self::Run];

    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Tracing => "tracing",
            Self::Health => "health",
            Self::Shutdown => "shutdown",
            Self::Breaker => "breaker",
            Self::Release => "release",
            Self::Run => "run",
        }
    }

    /// Whether it is one of the four pillars.
    pub fn is_pillar(self) -> bool {
        !matches!(self, Self::Release | Self::Run)
    }
}
