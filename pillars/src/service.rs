//! One process with the pillars in the order that matters.
//!
//! 1. The export thread, outside of any runtime; logs, and panics as lines of them; the shutdown clock.
//! 2. The application is put together on the runtime ([`Start`]): dependencies are pinged, circuits are watched.
//! 3. The management port answers from a thread of its own: `/health`, `/ready`, `/metrics`.
//! 4. The port of users is served until the clock says otherwise; background work has its time until then as well.
//! 5. What the application closes at its end ([`App::at_end`]), then the flush of telemetry, then exit 0.
//!
//! ```no_run
//! use axum::Router;
//! use axum::routing::get;
//! use golive_pillars::service::{Error, Service};
//! use golive_pillars::telemetry::{Config, TraceLayer};
//! use golive_pillars::health;
//!
//! fn main() -> Result<std::process::ExitCode, Error> {
//!     Service::builder(Config::new("prices", "1.0.0")).run(async |start| {
//!         let traced = TraceLayer::new(start.telemetry().clone());
//!         let prices = Router::new().route("/price", get(async || "42")).layer(traced);
//!         Ok::<_, Error>(start.serve(|health| prices.merge(health::routes(health))))
//!     })
//! }
//! ```

#[cfg(feature = "clap")]
mod args;
mod builder;
mod error;
mod run;
mod start;

#[cfg(feature = "clap")]
pub use args::Args;
pub use builder::{Builder, Service};
pub use error::Error;
pub use start::{App, Start};
