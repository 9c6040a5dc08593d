//! Command line of the users service.

use std::fmt::Display;
use std::process::ExitCode;

use clap::Parser as _;
use golive_service::config::{Cli, Command, Config};
use golive_service::{app, probe};

const FAILED: u8 = 1;
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let Cli { command, config } = Cli::parse();
    if let Some(Command::Probe { url }) = command {
        return probe::probe(url).map_or_else(|error| complain(&error, FAILED), |_| ExitCode::SUCCESS);
    }
    let migrates = matches!(command, Some(Command::Migrate));
    // Whoever migrates does so by himself, whatever the service does.
    let settings = match (Config { migrate: config.migrate && !migrates, ..config }).validate() {
        Ok(settings) => settings,
        Err(error) => return complain(&error, USAGE),
    };
    if migrates {
        let migrated = app::migrate(&settings);
        return migrated.map_or_else(|error| complain(&error, FAILED), |()| ExitCode::SUCCESS);
    }
    app::run(&settings).unwrap_or_else(|error| complain(&error, FAILED))
}

#[expect(clippy::print_stderr, reason = "what stops the start must be readable without any log format")]
fn complain(error: &dyn Display, code: u8) -> ExitCode {
    eprintln!("users: {error}");
    ExitCode::from(code)
}
