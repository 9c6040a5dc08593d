//! The users service with one deliberate mistake, for proving that the gate finds it: `FLAW=deaf users-flawed`.
//!
//! Apart from `bare`, each mistake is the good service with one thing set or wired wrongly; everything else is as it
//! should be. No image of a release holds this program.

mod bare;
mod circuit;
mod end;
mod panics;
mod ready;
mod set;
mod stuck;
mod untraced;
mod untrue;

use std::process::ExitCode;

use golive_pillars::service::Error;
use golive_service::config::Settings;
use golive_service::{app, start};

/// The variable that selects a mistake.
const VARIABLE: &str = "FLAW";

/// How a service with a mistake ends.
type Ended = Result<ExitCode, Error>;

/// What runs a service, with settings that it may change.
type Run = fn(&mut Settings) -> Ended;

/// The mistakes by their names; what each is stands at its function.
const FLAWS: [(&str, Run); 20] = [
    ("bare", bare::run),
    ("stuck", stuck::by_a_route),
    ("deaf", set::deaf),
    ("half-ready", set::half_ready),
    ("late-deadline", set::late_deadline),
    ("no-flush", end::no_flush),
    ("deadlock", stuck::under_load),
    ("untold", end::untold),
    ("graceful", end::graceful),
    ("drops-one", end::drops_one),
    ("early", ready::early),
    ("shared-pool", ready::by_the_pool),
    ("everyone", circuit::everyone),
    ("stampede", circuit::stampede),
    ("not-found", circuit::not_found),
    ("past", circuit::past),
    ("untraced-calls", untraced::calls),
    ("version", untrue::version),
    ("fine", untrue::fine),
    ("panics", panics::by_a_route),
];

fn main() -> ExitCode {
    start::start(|settings| flaw()?(settings).map_err(|error| error.to_string()))
}

/// The selected one; the good service if none is.
fn flaw() -> Result<Run, String> {
    let text = std::env::var(VARIABLE).unwrap_or_default();
    if text.is_empty() {
        return Ok(|settings| app::run(settings));
    }
    let flaw = FLAWS.iter().find(|(name, _)| *name == text).map(|(_, run)| *run);
    flaw.ok_or_else(|| {
        let known = FLAWS.map(|(name, _)| name).join(", ");
        format!("{VARIABLE}: read {text:?}, expected {known} or nothing")
    })
}
