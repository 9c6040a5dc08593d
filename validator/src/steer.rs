//! Steers the agents of a run, whatever platform they run on: all of them are HTTP servers.

mod agents;
mod api_link;
mod collector;
mod dial;
mod interposition;
mod load_link;
mod middle;
mod pods;
mod rolls;
mod target;

pub use agents::Agents;
pub(crate) use agents::LoadAgent;
pub use collector::Collector;
pub(crate) use collector::Facts;
pub(crate) use dial::Dial;
pub use interposition::Interposition;
pub(crate) use middle::{Middle, Told};
pub use pods::{PodBrief, PodTable, Probes};
pub use rolls::{Back, RollEnd, Stays};
pub use target::Target;
