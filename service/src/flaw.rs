//! Deliberate mistakes, for proving that the gate finds them. Only in builds with the cargo feature `flawed`.
//!
//! Apart from [`Flaw::Bare`], each is one small branch where the good service does the right thing; everything else
//! is the good service.

mod bare;
mod stuck;

use std::io;
use std::process::ExitCode;
use std::sync::OnceLock;

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
    /// The listener closes at the signal, while others still send new connections.
    Deaf,
    /// Readiness asks Postgres alone.
    HalfReady,
    /// The deadline of a call stands around the breaker: what hangs is cut in time, and the breaker never hears of it.
    LateDeadline,
    /// Nobody flushes the spans of the last batch at the exit.
    NoFlush,
}

/// The mistake of this process, if it has one.
static SELECTED: OnceLock<Flaw> = OnceLock::new();

impl Flaw {
    const NAMES: [(&str, Self); 6] = [
        ("bare", Self::Bare),
        ("stuck", Self::Stuck),
        ("deaf", Self::Deaf),
        ("half-ready", Self::HalfReady),
        ("late-deadline", Self::LateDeadline),
        ("no-flush", Self::NoFlush),
    ];

    /// Whether this is the mistake of this process.
    pub(crate) fn is_selected(self) -> bool {
        SELECTED.get() == Some(&self)
    }

    fn read() -> io::Result<Option<Self>> {
        let text = std::env::var(VARIABLE).unwrap_or_default();
        if text.is_empty() {
            return Ok(None);
        }
        let flaw = Self::NAMES.iter().find(|(name, _)| *name == text).map(|(_, flaw)| *flaw);
        flaw.map(Some).ok_or_else(|| {
            let known = Self::NAMES.map(|(name, _)| name).join(", ");
            io::Error::other(format!("{VARIABLE}: read {text:?}, expected {known} or nothing"))
        })
    }
}

/// Selects the mistake, and serves in place of the service if it is that large; returns when that has ended.
pub(crate) fn take_over(settings: &Settings) -> io::Result<Option<ExitCode>> {
    match Flaw::read()? {
        Some(Flaw::Bare) => bare::run(settings).map(|()| Some(ExitCode::SUCCESS)),
        Some(flaw) => {
            SELECTED.get_or_init(|| flaw);
            Ok(None)
        }
        None => Ok(None),
    }
}

/// Adds the mistakes that are routes.
pub(crate) fn spoil(router: Router) -> Router {
    if Flaw::Stuck.is_selected() { router.merge(stuck::route()) } else { router }
}
