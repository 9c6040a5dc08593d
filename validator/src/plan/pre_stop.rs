//! What a container does between the deletion of its pod and its SIGTERM.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Its preStop hook, as declared. SIGTERM comes when the hook has ended, or when the grace period has.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum PreStop {
    /// Nothing: SIGTERM follows the deletion.
    #[default]
    None,
    /// It waits for so many seconds: `sleep` (KEP-3960), or an `exec` of the sleep command.
    Sleep(u32),
    /// Another command or an HTTP call: nobody declares how long it takes.
    Unknown,
}

impl PreStop {
    /// How long it takes as far as that is declared: nothing for a hook of which nobody knows.
    pub fn declared(self) -> Duration {
        if let Self::Sleep(seconds) = self { Duration::from_secs(seconds.into()) } else { Duration::ZERO }
    }
}
