//! From the command line to an exit code: what every program of this service does first.

use std::fmt::Display;
use std::process::ExitCode;

use clap::Parser as _;

use crate::config::{Cli, Command, Config, Settings};
use crate::{app, probe};

const FAILED: u8 = 1;
const USAGE: u8 = 2;

/// Reads the command line and does what it says: the subcommands, which are the same in every program, or `run`.
///
/// The exit code is that of `run`, 1 for an error of it or of a subcommand, and 2 for a wrong setting; errors are told on
/// standard error.
pub fn start<E: Display>(run: impl FnOnce(&mut Settings) -> Result<ExitCode, E>) -> ExitCode {
    let Cli { command, config } = Cli::parse();
    if let Some(Command::Probe { url }) = command {
        return probe::probe(url).map_or_else(|error| complain(&error, FAILED), |_| ExitCode::SUCCESS);
    }
    let migrates = matches!(command, Some(Command::Migrate));
    // Whoever migrates does so by himself, whatever the service does.
    let mut settings = match (Config { migrate: config.migrate && !migrates, ..config }).validate() {
        Ok(settings) => settings,
        Err(error) => return complain(&error, USAGE),
    };
    if migrates {
        let migrated = app::migrate(&settings);
        return migrated.map_or_else(|error| complain(&error, FAILED), |()| ExitCode::SUCCESS);
    }
    run(&mut settings).unwrap_or_else(|error| complain(&error, FAILED))
}

#[expect(clippy::print_stderr, reason = "what stops the start must be readable without any log format")]
fn complain(error: &dyn Display, code: u8) -> ExitCode {
    eprintln!("users: {error}");
    ExitCode::from(code)
}
