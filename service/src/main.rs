//! Command line of the users service.

use std::fmt::Display;
use std::process::ExitCode;

use clap::Parser as _;
use golive_service::config::{Cli, Command};
use golive_service::{app, probe};

const FAILED: u8 = 1;
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let Cli { command, config } = Cli::parse();
    if let Some(Command::Probe { url }) = command {
        return probe::probe(url).map_or_else(|error| complain(&error, FAILED), |_| ExitCode::SUCCESS);
    }
    match config.validate() {
        Ok(settings) => app::run(&settings).unwrap_or_else(|error| complain(&error, FAILED)),
        Err(error) => complain(&error, USAGE),
    }
}

#[expect(clippy::print_stderr, reason = "what stops the start must be readable without any log format")]
fn complain(error: &dyn Display, code: u8) -> ExitCode {
    eprintln!("users: {error}");
    ExitCode::from(code)
}
