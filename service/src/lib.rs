//! Four production-readiness pillars, and the users service built on them.
//!
//! | pillar | what it gives |
//! |---|---|
//! | [`telemetry`] | traces that cost nothing where nothing is sampled; logs with the same ids |
//! | [`health`] | liveness that notices a deadlock, readiness that knows the dependencies |
//! | [`shutdown`] | a clock and a server that leave without losing a request |
//! | [`breaker`] | a circuit that opens on a failure rate and closes by one trial |
//!
//! Each has its own `Args` (clap, every flag also a variable), errors, metrics and tests, and knows nothing of users,
//! SQL or the other pillars. `examples/adopt_pillars.rs` shows a service that is not ours taking all four; only
//! [`app`] wires them together here.

pub mod app;
pub mod breaker;
pub mod config;
mod duration;
#[cfg(feature = "flawed")]
pub mod flaw;
pub mod health;
pub mod http;
pub mod metrics;
pub mod probe;
mod ratio;
pub mod shutdown;
pub mod telemetry;
pub mod users;
