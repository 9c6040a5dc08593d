//! The `validator` binary: parse, run, exit.

use std::io::IsTerminal as _;
use std::process::ExitCode;

use clap::Parser;
use golive_validator::cli::Cli;
use golive_validator::commands;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_env_filter(EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("warn")))
        .init();
    commands::run(Cli::parse()).await.into()
}
