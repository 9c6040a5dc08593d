//! Deliberate mistakes, for proving that the gate finds them. Only in builds with the cargo feature `flawed`.

mod bare;
mod stuck;

use std::io;
use std::process::ExitCode;

use axum::Router;

use crate::config::Settings;

/// The variable that selects a mistake.
const VARIABLE: &str = "FLAW";

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// No tracing, no probes, no signal handling, no breaker: users over plain queries.
    Bare,
    /// As it should be, except that a GET of `/flaw/stuck` blocks every worker for ever.
    Stuck,
}

impl Flaw {
    fn selected() -> io::Result<Option<Self>> {
        match std::env::var(VARIABLE).unwrap_or_default().as_str() {
            "" => Ok(None),
            "bare" => Ok(Some(Self::Bare)),
            "stuck" => Ok(Some(Self::Stuck)),
            other => {
                Err(io::Error::other(format!("{VARIABLE}: read {other:?}, expected bare, stuck or nothing")))
            }
        }
    }
}

/// Serves in place of the service, if the mistake is that large; returns when that has ended.
pub(crate) fn take_over(settings: &Settings) -> io::Result<Option<ExitCode>> {
    match Flaw::selected()? {
        Some(Flaw::Bare) => bare::run(settings).map(|()| Some(ExitCode::SUCCESS)),
        Some(Flaw::Stuck) | None => Ok(None),
    }
}

/// Adds the mistakes that are routes.
pub(crate) fn spoil(router: Router) -> io::Result<Router> {
    Ok(match Flaw::selected()? {
        Some(Flaw::Stuck) => router.merge(stuck::route()),
        Some(Flaw::Bare) | None => router,
    })
}
