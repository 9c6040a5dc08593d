//! The users service with one deliberate mistake, for proving that the gate finds it: `FLAW=deaf users-flawed`.
//!
//! Apart from `bare`, each mistake is the good service with one thing set or wired wrongly; everything else is as it
//! should be. No image of a release holds this program.

mod bare;
mod stuck;

use std::fmt::Display;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;
use golive_pillars::service::Error;
use golive_service::app::{self, Wiring};
use golive_service::config::{Cli, Settings};

/// The variable that selects a mistake.
const VARIABLE: &str = "FLAW";
const FAILED: u8 = 1;
const USAGE: u8 = 2;
/// How long sqlx waits for a connection where nobody sets it.
const SQLX_DEFAULT: Duration = Duration::from_secs(30);
const NEVER: Duration = Duration::from_hours(1);

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
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

impl Flaw {
    const NAMES: [(&str, Self); 6] = [
        ("bare", Self::Bare),
        ("stuck", Self::Stuck),
        ("deaf", Self::Deaf),
        ("half-ready", Self::HalfReady),
        ("late-deadline", Self::LateDeadline),
        ("no-flush", Self::NoFlush),
    ];

    fn read() -> Result<Option<Self>, String> {
        let text = std::env::var(VARIABLE).unwrap_or_default();
        if text.is_empty() {
            return Ok(None);
        }
        let flaw = Self::NAMES.iter().find(|(name, _)| *name == text).map(|(_, flaw)| *flaw);
        flaw.map(Some).ok_or_else(|| {
            let known = Self::NAMES.map(|(name, _)| name).join(", ");
            format!("{VARIABLE}: read {text:?}, expected {known} or nothing")
        })
    }
}

fn main() -> ExitCode {
    let settings = match Cli::parse().config.validate() {
        Ok(settings) => settings,
        Err(error) => return complain(&error, USAGE),
    };
    match Flaw::read() {
        Ok(flaw) => run(flaw, settings).unwrap_or_else(|error| complain(&error, FAILED)),
        Err(error) => complain(&error, FAILED),
    }
}

fn run(flaw: Option<Flaw>, mut settings: Settings) -> Result<ExitCode, Error> {
    match flaw {
        None => app::run(&settings),
        Some(Flaw::Bare) => Ok(bare::run(&settings).map(|()| ExitCode::SUCCESS)?),
        Some(Flaw::Stuck) => {
            let spoil = |wiring: Wiring| Wiring { router: wiring.router.merge(stuck::route()), ..wiring };
            app::run_with(&settings, spoil)
        }
        Some(Flaw::Deaf) => {
            settings.config.service.shutdown.shutdown_lameduck = Duration::ZERO;
            app::run(&settings)
        }
        Some(Flaw::HalfReady) => {
            settings.readiness_asks_redis = false;
            app::run(&settings)
        }
        Some(Flaw::LateDeadline) => {
            let breaker = &mut settings.config.breaker.args;
            settings.answer_within = Some(breaker.deadline);
            (breaker.deadline, breaker.slow_after) = (NEVER, Some(NEVER));
            // Whoever forgets the deadline forgets this one too; below it, its time-outs would tell the breaker.
            settings.config.database.database_acquire_timeout = SQLX_DEFAULT;
            app::run(&settings)
        }
        Some(Flaw::NoFlush) => app::run_with(&settings, |wiring| Wiring { at_end: leave_at_once, ..wiring }),
    }
}

/// As a program that returns from `main` while its provider is in a static.
#[expect(clippy::exit, reason = "the mistake")]
fn leave_at_once() {
    std::process::exit(0)
}

#[expect(clippy::print_stderr, reason = "what stops the start must be readable without any log format")]
fn complain(error: &dyn Display, code: u8) -> ExitCode {
    eprintln!("users: {error}");
    ExitCode::from(code)
}
