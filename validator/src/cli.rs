//! The command line.

mod admission;
mod agent;
mod cleanup;
mod examples;
mod gate;
mod header;
mod init;
mod lint;
mod local;
mod manual;
mod operator;
mod parts;
mod policy;
mod report;
mod run;
mod saved;
mod target;
mod traffic;
mod verify;

use clap::{Parser, Subcommand};

pub use admission::AdmissionArgs;
pub use agent::{GuardianArgs, MiddleArgs};
pub use cleanup::CleanupArgs;
pub use gate::GateArgs;
pub use header::HeaderArg;
pub use init::InitArgs;
pub use lint::LintArgs;
pub use local::{LocalArgs, LocalGuardianArgs};
pub use manual::{CatalogueFormat, ChecksArgs, CompletionsArgs, ExplainArgs, SchemaArgs, SchemaOf};
pub use operator::OperatorArgs;
pub use parts::{PartArgs, Selected};
pub use policy::{PolicyArgs, PolicyCheckArgs, PolicyCommand};
pub use report::ReportArgs;
pub use run::{PlanArgs, RunArgs};
pub use saved::{DiffArgs, JudgeArgs};
pub use target::{ClusterArgs, TargetArgs};
pub use traffic::TrafficArgs;
pub use verify::{AttestArgs, VerifyArgs};

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

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Roll a deployment under load and judge it
    #[command(after_help = examples::RUN)]
    Run(Box<RunArgs>),
    /// The same on this machine, without a cluster: copies of a command as processes
    #[command(after_help = examples::LOCAL)]
    Local(Box<LocalArgs>),
    /// Tell what a run would do, how long, and what it could not tell; nothing is touched
    #[command(after_help = examples::PLAN)]
    Plan(Box<PlanArgs>),
    /// Judge a saved evidence file; no cluster is needed
    #[command(after_help = examples::JUDGE)]
    Judge(JudgeArgs),
    /// Tell what got better and worse between two runs
    #[command(after_help = examples::DIFF)]
    Diff(DiffArgs),
    /// Write a target file by looking at what is there
    #[command(after_help = examples::INIT)]
    Init(InitArgs),
    /// Look at manifests without a cluster, as a reviewer would
    #[command(after_help = examples::LINT)]
    Lint(LintArgs),
    /// Print, check and review the organisation's policy
    #[command(after_help = examples::POLICY)]
    Policy {
        /// What to do
        #[command(subcommand)]
        command: PolicyCommand,
    },
    /// Say whether there is a valid GO for an image
    #[command(after_help = examples::VERIFY)]
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
