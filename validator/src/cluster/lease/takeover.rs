//! What to do about a holder of the Lease that may be alive.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use kube::ResourceExt;

use super::holder_of;
use crate::config::Purpose;

/// Label with what the holder is for.
pub(super) const PURPOSE_LABEL: &str = "golive.dev/purpose";

/// The end of runs that only look on is waited for so long, of all of them together. One takes 2 to 7 minutes, and more only
/// where it has to wait for its target.
pub(super) const LOOKS_AT_MOST: Duration = Duration::from_mins(15);

/// What to do about a holder that may be alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takeover {
    /// Wait whether it renews the Lease; if it does, fail.
    Lapsed,
    /// The same, but wait for the end of one that only looks on.
    AfterLook,
    /// Take the Lease away; the holder stops where it stands.
    AtOnce,
}

impl Takeover {
    /// Whether the end of this holder is waited for, although it is alive.
    pub(super) fn waits_for(self, lease: &Lease) -> bool {
        let purpose = lease.labels().get(PURPOSE_LABEL).map(String::as_str);
        self == Self::AfterLook && purpose == Some(Purpose::Observe.name())
    }

    /// What whoever waits is told.
    pub(super) fn told(self, found: &Lease) -> String {
        let holder = holder_of(found);
        if self.waits_for(found) {
            let minutes = LOOKS_AT_MOST.as_secs() / 60;
            format!("{holder} looks on and holds the Lease; waiting up to {minutes} min for its end")
        } else {
            format!("{holder} holds the Lease; waiting up to 60 s to see whether it is alive")
        }
    }
}
