//! A request that is due, and where it goes.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::time::Instant;

use super::choice::Choice;
use crate::evidence::Class;

/// Where requests of a class go, and which ones.
#[derive(Clone)]
pub(super) struct Aim {
    pub(super) class: Class,
    pub(super) address: SocketAddr,
    /// The pod, for requests past the Service.
    pub(super) pod: Option<String>,
    pub(super) choice: Arc<Choice>,
    /// Whether every request carries the sampled flag.
    pub(super) sampled: bool,
    /// Whether a connection may outlive a request.
    pub(super) keeps: bool,
}

/// One request that is due.
#[derive(Clone)]
pub(super) struct Turn {
    pub(super) aim: Aim,
    /// Its number in the plan.
    pub(super) template: usize,
    pub(super) due: Instant,
}

impl Aim {
    /// Draws the request that is due now.
    pub(super) fn turn(&self, due: Instant) -> Turn {
        let (template, _) = self.choice.pick(fastrand::u32(..));
        Turn { aim: self.clone(), template, due }
    }
}
