//! The command line.

mod header;
mod local;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use header::HeaderArg;
pub use local::{LocalArgs, LocalGuardianArgs};

use crate::config::{Protocol, Rate, Seconds, Template};
use crate::middle::PortPlan;
use crate::report::ReportFile;

/// Proves by experiment that a Kubernetes deployment is ready for production.
#[derive(Debug, Parser)]
#[command(name = "validator", version, arg_required_else_help = true, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 GO, 1 NO-GO, 2 wrong usage or configuration, \
3 inconclusive or environment, 4 internal error, 130 interrupted (clean-up done).";

const RUN_EXAMPLES: &str = "Examples:
  validator run -f golive.yaml
  validator run deployment/users -n demo --get '/api/users/{1..1000}'
  validator run deployment/users -n demo --get /api/me --header @token.txt
  validator run -f golive.yaml --image registry.example.com/users:1.4.0 --report json=report.json";

const LOCAL_EXAMPLES: &str = "Examples:
  validator local -f golive.yaml -- ./users
  validator local --get '/api/users/{1..1000}' --postgres DATABASE_URL --redis REDIS_URL --seed users.sql -- ./users

Each copy gets PORT and MANAGEMENT_PORT, and the variables named for its dependencies; what it says goes to a file.";

const PLAN_EXAMPLES: &str = "Examples:
  validator plan -f golive.yaml
  validator plan deployment/users -n demo --get '/api/users/{1..1000}' --rate 50

It reads the target and its dependencies, and creates nothing.";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Roll a deployment under load and judge it
    #[command(after_help = RUN_EXAMPLES)]
    Run(Box<RunArgs>),
    /// The same on this machine, without a cluster: copies of a command as processes
    #[command(after_help = LOCAL_EXAMPLES)]
    Local(Box<LocalArgs>),
    /// Tell what a run would do, how long, and what it could not tell; nothing is touched
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(Box<PlanArgs>),
    /// Judge a saved evidence file; no cluster is needed
    #[command(after_help = "Example:\n  validator judge golive-out/users.evidence.zst")]
    Judge(JudgeArgs),
    /// Remove what an interrupted run left behind, and undo its rolls
    #[command(after_help = "Examples:\n  validator cleanup -n demo\n  validator cleanup -f golive.yaml")]
    Cleanup(CleanupArgs),
    /// List all checks
    #[command(after_help = "Example:\n  validator checks --markdown > docs/checks.md")]
    Checks(ChecksArgs),
    /// Explain one check: why, how it is measured, what to change
    #[command(after_help = "Examples:\n  validator explain GL-S201\n  validator explain no-restart")]
    Explain(ExplainArgs),
    /// Print the Role that a run needs
    #[command(after_help = "Example:\n  validator rbac | kubectl apply -n demo -f -")]
    Rbac,
    /// What runs in the load agents' pods
    #[command(hide = true)]
    Agent,
    /// What runs in a middle agent's pod
    #[command(hide = true)]
    Middle(MiddleArgs),
    /// What runs in the guardian's pod
    #[command(hide = true)]
    Guardian(GuardianArgs),
    /// What cleans up after a run on this machine
    #[command(hide = true)]
    LocalGuardian(LocalGuardianArgs),
}

/// `validator middle`.
#[derive(Args, Debug)]
pub struct MiddleArgs {
    /// Name of the dependency
    #[arg(long)]
    pub dependency: String,
    /// What is spoken to it
    #[arg(long)]
    pub protocol: Protocol,
    /// What the trace ids of the run begin with
    #[arg(long, default_value = "")]
    pub trace_prefix: String,
    /// Where to listen and where that goes; may be repeated
    #[arg(long, value_name = "LISTEN=HOST:PORT")]
    pub port: Vec<PortPlan>,
}

/// `validator guardian`.
#[derive(Args, Debug)]
pub struct GuardianArgs {
    /// Namespace of the run
    #[arg(long)]
    pub namespace: String,
    /// The run, as the holder of the Lease
    #[arg(long)]
    pub run: String,
    /// The deployment that is to be rolled back when it has lapsed
    #[arg(long)]
    pub deployment: String,
}

/// Which cluster, and where in it.
#[derive(Args, Debug)]
pub struct ClusterArgs {
    /// Kubeconfig context; the current one when absent
    #[arg(long, env = "GOLIVE_CONTEXT")]
    pub context: Option<String>,
    /// Namespace of the target; the target file's when absent
    #[arg(short, long)]
    pub namespace: Option<String>,
}

/// What to gate, and how its users behave.
#[derive(Args, Debug)]
pub struct TargetArgs {
    /// What to gate, as deployment/NAME
    #[arg(value_name = "deployment/NAME", conflicts_with = "file", required_unless_present = "file")]
    pub target: Option<String>,
    /// The target file
    #[arg(short, long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Cluster and namespace
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// Path to ask, with {1..1000} and {uuid} as placeholders; may be repeated
    #[arg(long, value_name = "PATH", conflicts_with = "file")]
    pub get: Vec<Template>,
    /// Header of every request, or @FILE with one header a line, as for curl; may be repeated. Values are never stored
    #[arg(short = 'H', long, value_name = "NAME: VALUE")]
    pub header: Vec<HeaderArg>,
    /// Service of the target; found by its selector when absent
    #[arg(long, conflicts_with = "file")]
    pub service: Option<String>,
    /// Requests per second, all connection classes together [default: the target file's, else 200]
    #[arg(long)]
    pub rate: Option<Rate>,
}

/// `validator plan`.
#[derive(Args, Debug)]
pub struct PlanArgs {
    /// The target
    #[command(flatten)]
    pub target: TargetArgs,
    /// The image that the run would roll to
    #[arg(long)]
    pub image: Option<String>,
}

/// `validator run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// The target
    #[command(flatten)]
    pub target: TargetArgs,
    /// Roll to this image; without it the deployment is restarted as it is
    #[arg(long)]
    pub image: Option<String>,
    /// No roll may end later than this after the start
    #[arg(long, default_value = "15m")]
    pub timeout: Seconds,
    /// Image of all agents and of the guardian
    #[arg(long, env = "GOLIVE_AGENT_IMAGE", default_value = concat!("golive/validator:", env!("CARGO_PKG_VERSION")))]
    pub agent_image: String,
    /// Write the report to a file too: terminal=PATH or json=PATH; may be repeated
    #[arg(long, value_name = "FORMAT=PATH")]
    pub report: Vec<ReportFile>,
    /// Where the evidence goes [default: golive-out/RUN.evidence.zst]
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,
    /// Leave the candidate in place whatever the verdict
    #[arg(long)]
    pub keep: bool,
    /// No progress on stderr
    #[arg(short, long)]
    pub quiet: bool,
}

/// `validator judge`.
#[derive(Args, Debug)]
pub struct JudgeArgs {
    /// The evidence file of a run
    pub file: PathBuf,
    /// Write the report to a file too: terminal=PATH or json=PATH; may be repeated
    #[arg(long, value_name = "FORMAT=PATH")]
    pub report: Vec<ReportFile>,
}

/// `validator cleanup`.
#[derive(Args, Debug)]
pub struct CleanupArgs {
    /// Cluster and namespace
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// The target file, for its namespace
    #[arg(short, long, value_name = "FILE", required_unless_present = "namespace")]
    pub file: Option<PathBuf>,
    /// Clean up even if a run is at work there; it ends where it stands
    #[arg(long)]
    pub force: bool,
}

/// `validator checks`.
#[derive(Args, Debug)]
pub struct ChecksArgs {
    /// The whole catalogue as Markdown
    #[arg(long)]
    pub markdown: bool,
}

/// `validator explain`.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// Code or slug of a check
    pub check: String,
}
