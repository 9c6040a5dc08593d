//! The command line.

mod admission;
mod header;
mod local;
mod operator;
mod parts;
mod policy;
mod verify;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

pub use admission::AdmissionArgs;
pub use header::HeaderArg;
pub use local::{LocalArgs, LocalGuardianArgs};
pub use operator::OperatorArgs;
pub use parts::{PartArgs, Selected};
pub use policy::{PolicyArgs, PolicyCheckArgs, PolicyCommand};
pub use verify::{AttestArgs, VerifyArgs};

use crate::config::{Protocol, Rate, Seconds, Template};
use crate::explain::Language;
use crate::failure::Failure;
use crate::middle::PortPlan;
use crate::report::{Depth, Destination, ReportFile};

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
  validator run -f golive.yaml --image registry.example.com/users:1.4.0 --report json=report.json
  validator run -f golive.yaml --part quick
  validator run -f golive.yaml --check GL-B218";

const LOCAL_EXAMPLES: &str = "Examples:
  validator local -f golive.yaml -- ./users
  validator local --get '/api/users/{1..1000}' --postgres DATABASE_URL --redis REDIS_URL --seed users.sql -- ./users

Each copy gets PORT and MANAGEMENT_PORT, and the variables named for its dependencies; what it says goes to a file.";

const PLAN_EXAMPLES: &str = "Examples:
  validator plan -f golive.yaml
  validator plan deployment/users -n demo --get '/api/users/{1..1000}' --rate 50

It reads the target and its dependencies, and creates nothing.";

const JUDGE_EXAMPLES: &str = "Examples:
  validator judge golive-out/users.evidence.zst --report html=report.html
  validator judge golive-out/users.evidence.zst --baseline accepted.json

With a baseline: exit 1 if anything that gates got worse or requests were lost, else 0, whatever had failed before.";

const DIFF_EXAMPLES: &str = "Examples:
  validator diff last-release.json report.json
  validator diff golive-out/a.evidence.zst golive-out/b.evidence.zst

Exit codes: 1 if anything that gates got worse, else 0.";

const INIT_EXAMPLES: &str = "Examples:
  validator init deployment/users -n demo
  validator init -f manifests/ --openapi openapi.yaml

It reads the deployment and the Services, and no Secret; it asks nothing, and says what it guessed.";

const POLICY_EXAMPLES: &str = "Examples:
  validator policy print > policy.yaml
  validator policy check policy.yaml -f golive.yaml
  validator policy lint policy.yaml

A run is judged by it with `--policy policy.yaml`, and a saved one again: validator judge FILE --policy policy.yaml.";

const VERIFY_EXAMPLES: &str = "Examples:
  validator verify registry.example.com/users@sha256:HEX --policy policy.yaml --report report.json
  validator verify users@sha256:HEX --policy policy.yaml --attestation report.intoto.json --key cosign.pub

Exit codes: 0 there is a GO, and it is not too old; 1 the last run says NO-GO; 3 nothing tells.";

const LINT_EXAMPLES: &str = "Examples:
  validator lint manifests/
  helm template charts/service | validator lint -
  validator lint manifests/ --format sarif > lint.sarif
  helm template charts/service | validator lint - --name charts/service/values.yaml --format sarif

Exit codes: 1 if a blocker or major was found, else 0.";

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
    #[command(after_help = JUDGE_EXAMPLES)]
    Judge(JudgeArgs),
    /// Tell what got better and worse between two runs
    #[command(after_help = DIFF_EXAMPLES)]
    Diff(DiffArgs),
    /// Write a target file by looking at what is there
    #[command(after_help = INIT_EXAMPLES)]
    Init(InitArgs),
    /// Look at manifests without a cluster, as a reviewer would
    #[command(after_help = LINT_EXAMPLES)]
    Lint(LintArgs),
    /// Print, check and review the organisation's policy
    #[command(after_help = POLICY_EXAMPLES)]
    Policy {
        /// What to do
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Say whether there is a valid GO for an image
    #[command(after_help = VERIFY_EXAMPLES)]
    Verify(VerifyArgs),
    /// Sign a report, as an in-toto statement in a DSSE envelope
    #[command(
        after_help = "Example:\n  validator attest report.json --key key.pem -o report.intoto.json\n\ndocs/attestation.md tells how cosign reads it, and makes one."
    )]
    Attest(AttestArgs),
    /// Remove what an interrupted run left behind, and undo its rolls
    #[command(after_help = "Examples:\n  validator cleanup -n demo\n  validator cleanup -f golive.yaml")]
    Cleanup(CleanupArgs),
    /// List all checks
    #[command(after_help = "Example:\n  validator checks --format markdown > docs/checks.md")]
    Checks(ChecksArgs),
    /// Explain one check: why, how it is measured, what to change
    #[command(
        after_help = "Examples:\n  validator explain GL-S201\n  validator explain no-restart --language go"
    )]
    Explain(ExplainArgs),
    /// Print shell completions
    #[command(after_help = "Example:\n  validator completions bash > /etc/bash_completion.d/validator")]
    Completions(CompletionsArgs),
    /// Print the manual page
    #[command(after_help = "Example:\n  validator man > /usr/local/share/man/man1/validator.1")]
    Man,
    /// Print a JSON Schema: of the JSON report, or of the target file and the policy, for editors
    #[command(
        after_help = "Example:\n  validator schema target > golive.schema.json\n\nWith `# yaml-language-server: $schema=golive.schema.json` as its first line editors complete and check a target file."
    )]
    Schema(SchemaArgs),
    /// Run the gate for every candidate of a cluster's GoLiveChecks, until it is told to end
    #[command(
        after_help = "Example:\n  validator operator --namespace demo --namespace shop\n\ncharts/validator installs it."
    )]
    Operator(OperatorArgs),
    /// Answer a cluster's API server whether an image may come in, until it is told to end
    #[command(
        after_help = "Example:\n  validator admission --namespace demo --certificate /tls\n\ncharts/validator installs it; docs/admission.md."
    )]
    Admission(AdmissionArgs),
    /// Print the CustomResourceDefinitions of the operator
    #[command(after_help = "Example:\n  validator crds | kubectl apply --server-side -f -")]
    Crds,
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
    /// The rules
    #[command(flatten)]
    pub rules: PolicyArgs,
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
    /// The parts
    #[command(flatten)]
    pub parts: PartArgs,
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
    /// The parts
    #[command(flatten)]
    pub parts: PartArgs,
    /// The reports
    #[command(flatten)]
    pub report: ReportArgs,
    /// Where the evidence goes [default: golive-out/RUN.evidence.zst]
    #[arg(long, value_name = "FILE")]
    pub evidence: Option<PathBuf>,
    /// Leave the candidate in place whatever the verdict
    #[arg(long)]
    pub keep: bool,
}

/// What is told, and where.
#[derive(Args, Debug)]
pub struct ReportArgs {
    /// Write a report too, in a format of terminal, html, json, junit, sarif, markdown and otlp; - is stdout; otlp=URL sends the run as a trace; may be repeated
    #[arg(long, value_name = "FORMAT=PATH")]
    pub report: Vec<ReportFile>,
    /// Show every check, also those that passed
    #[arg(long, conflicts_with = "quiet")]
    pub all: bool,
    /// Three lines on stdout, and no progress on stderr
    #[arg(short, long)]
    pub quiet: bool,
}

impl ReportArgs {
    /// Refuses what cannot be told side by side.
    ///
    /// # Errors
    /// Exit 2 where two reports would stand on stdout, one after the other.
    pub fn check(&self) -> Result<(), Failure> {
        match self.report.iter().filter(|file| file.to == Destination::Stdout).count() {
            0 | 1 => Ok(()),
            _ => Err(Failure::usage("two reports cannot both go to stdout")
                .hint("give one of them a path: --report json=report.json")),
        }
    }

    /// How much the terminal report tells.
    pub fn depth(&self) -> Depth {
        match (self.quiet, self.all) {
            (true, _) => Depth::Brief,
            (_, true) => Depth::All,
            _ => Depth::Usual,
        }
    }
}

/// `validator judge`.
#[derive(Args, Debug)]
pub struct JudgeArgs {
    /// The evidence file of a run
    pub file: PathBuf,
    /// An earlier report or evidence file: the exit code is about what got worse since; the report stays whole
    #[arg(long, value_name = "FILE")]
    pub baseline: Option<PathBuf>,
    /// The rules, in place of those of the run
    #[command(flatten)]
    pub rules: PolicyArgs,
    /// What is known to be right, a line each: `verdict NO-GO`, `GL-S201 fail`, `may GL-H206`; the exit code says whether the report says it
    #[arg(long, value_name = "FILE", conflicts_with = "baseline")]
    pub expect: Option<PathBuf>,
    /// The reports
    #[command(flatten)]
    pub report: ReportArgs,
}

/// `validator diff`.
#[derive(Args, Debug)]
pub struct DiffArgs {
    /// The earlier run: a JSON report or an evidence file
    #[arg(value_name = "BEFORE")]
    pub before: PathBuf,
    /// The later one
    #[arg(value_name = "AFTER")]
    pub after: PathBuf,
    /// As JSON
    #[arg(long)]
    pub json: bool,
}

/// `validator init`.
#[derive(Args, Debug)]
pub struct InitArgs {
    /// What to gate, as deployment/NAME
    #[arg(value_name = "deployment/NAME", required_unless_present = "file")]
    pub target: Option<String>,
    /// Manifests in place of a cluster: a file, a folder, or - for stdin
    #[arg(short, long, value_name = "FILE|FOLDER|-")]
    pub file: Option<PathBuf>,
    /// Cluster and namespace
    #[command(flatten)]
    pub cluster: ClusterArgs,
    /// An OpenAPI document, for what users ask for
    #[arg(long, value_name = "FILE")]
    pub openapi: Option<PathBuf>,
    /// Where the target file goes
    #[arg(short, long, value_name = "FILE", default_value = "golive.yaml")]
    pub output: PathBuf,
    /// Write over a file that is there
    #[arg(long)]
    pub force: bool,
}

/// `validator lint`.
#[derive(Args, Debug)]
pub struct LintArgs {
    /// Files, folders, or - for stdin; all of them are looked at together
    #[arg(required = true, value_name = "FILE|FOLDER|-")]
    pub paths: Vec<PathBuf>,
    /// What stdin is called in the findings: code scanning needs a file of the repository
    #[arg(long, value_name = "PATH")]
    pub name: Option<String>,
    /// The rules
    #[command(flatten)]
    pub rules: PolicyArgs,
    /// How it is told
    #[arg(long, value_enum, default_value_t)]
    pub format: crate::lint::Format,
}

/// `validator completions`.
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// Of which shell
    pub shell: clap_complete::Shell,
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
    /// How they are told
    #[arg(long, value_enum, default_value_t)]
    pub format: CatalogueFormat,
}

/// A format of the catalogue.
#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
pub enum CatalogueFormat {
    /// A line each
    #[default]
    Table,
    /// All that is known of each, as JSON
    Json,
    /// The whole catalogue as Markdown
    Markdown,
}

/// `validator schema`.
#[derive(Args, Debug)]
pub struct SchemaArgs {
    /// Of what
    pub of: SchemaOf,
}

/// What has a schema.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub enum SchemaOf {
    /// The JSON report
    Report,
    /// The target file
    Target,
    /// The policy
    Policy,
}

/// `validator explain`.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// Code or slug of a check
    pub check: String,
    /// Show the remedy in this language only; may be repeated
    #[arg(short, long, value_enum)]
    pub language: Vec<Language>,
}
