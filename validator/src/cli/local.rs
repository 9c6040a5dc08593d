//! `validator local`.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;

use super::{HeaderArg, PartArgs, PolicyArgs, ReportArgs};
use crate::config::{Rate, Seconds, Template};

/// What is gated on this machine, and how.
#[derive(Args, Debug)]
pub struct LocalArgs {
    /// The target file; its `spec.local` says how a copy is started
    #[arg(short, long, value_name = "FILE", required_unless_present = "get")]
    pub file: Option<PathBuf>,
    /// Path to ask, with {1..1000} and {uuid} as placeholders; may be repeated
    #[arg(long, value_name = "PATH", conflicts_with = "file")]
    pub get: Vec<Template>,
    /// The variable that tells the service its Postgres: it gets a throw-away one
    #[arg(long, value_name = "VARIABLE", conflicts_with = "file")]
    pub postgres: Option<String>,
    /// The variable that tells the service its Redis: it gets a throw-away one
    #[arg(long, value_name = "VARIABLE", conflicts_with = "file")]
    pub redis: Option<String>,
    /// The variable that tells the service where its spans go
    #[arg(long, value_name = "VARIABLE", conflicts_with = "file")]
    pub otlp: Option<String>,
    /// Add a header to every request, as `NAME: VALUE` or @FILE; never in the evidence; may be repeated
    #[arg(long, value_name = "HEADER")]
    pub header: Vec<HeaderArg>,
    /// Requests per second
    #[arg(long)]
    pub rate: Option<Rate>,
    /// How many copies there are
    #[arg(long)]
    pub replicas: Option<u32>,
    /// A dependency with a `url` in spec.local: the run may write to it, and break the calls of its copies; may be repeated
    #[arg(long, value_name = "NAME")]
    pub yes_break_it: Vec<String>,
    /// Statements for the throw-away Postgres, before the first copy is started
    #[arg(long, value_name = "FILE.sql")]
    pub seed: Option<PathBuf>,
    /// No roll may end later than this after the start
    #[arg(long, default_value = "15m")]
    pub timeout: Seconds,
    /// The rules
    #[command(flatten)]
    pub rules: PolicyArgs,
    /// The parts
    #[command(flatten)]
    pub parts: PartArgs,
    /// The reports
    #[command(flatten)]
    pub report: ReportArgs,
    /// Where the evidence goes [default: golive-out/RUN.evidence.zst]
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,
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
