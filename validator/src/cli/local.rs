//! `validator local`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::{GateArgs, PolicyArgs, TrafficArgs};

/// What is gated on this machine, and how.
#[derive(Args, Debug)]
pub struct LocalArgs {
    /// The target file; its `spec.local` says how a copy is started
    #[arg(short, long, value_name = "FILE", required_unless_present = "get")]
    pub file: Option<PathBuf>,
    /// The traffic
    #[command(flatten)]
    pub traffic: TrafficArgs,
    /// The variable that tells the service its Postgres: it gets a throw-away one
    #[arg(long, value_name = "VARIABLE", conflicts_with = "file")]
    pub postgres: Option<String>,
    /// The variable that tells the service its Redis: it gets a throw-away one
    #[arg(long, value_name = "VARIABLE", conflicts_with = "file")]
    pub redis: Option<String>,
    /// The variable that tells the service where its spans go
    #[arg(long, value_name = "VARIABLE", conflicts_with = "file")]
    pub otlp: Option<String>,
    /// How many copies there are
    #[arg(long)]
    pub replicas: Option<u32>,
    /// A dependency with a `url` in spec.local: the run may write to it, and break the calls of its copies; may be repeated
    #[arg(long, value_name = "NAME")]
    pub yes_break_it: Vec<String>,
    /// Statements for the throw-away Postgres, before the first copy is started
    #[arg(long, value_name = "FILE.sql")]
    pub seed: Option<PathBuf>,
    /// The rules
    #[command(flatten)]
    pub rules: PolicyArgs,
    /// The gate
    #[command(flatten)]
    pub gate: GateArgs,
    /// What a copy runs, as it is, without a shell; spec.local.command when absent
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<OsString>,
}

/// `validator local-guardian`.
#[derive(Args, Debug)]
pub struct LocalGuardianArgs {
    /// The run that is watched
    pub run: String,
}
