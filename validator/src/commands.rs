//! One module per command; each returns how the process ends.

mod admission;
mod agent;
mod checks;
mod cleanup;
mod completions;
mod diff;
mod files;
mod gated;
mod guardian;
mod init;
mod judge;
mod lint;
mod local;
mod middle;
mod operator;
mod plan;
mod policy;
mod publish;
mod rbac;
mod rules;
mod run;
mod saved;
mod schema;
mod signals;
mod target_file;
mod verify;

use std::io::Write;

use crate::cli::{Cli, Command};
use crate::exit::Exit;

/// Runs the command and returns its exit code; failures are told on stderr.
pub async fn run(cli: Cli) -> Exit {
    let result = match cli.command {
        Command::Run(args) => Box::pin(run::run(*args)).await,
        Command::Local(args) => Box::pin(local::local(*args)).await,
        Command::LocalGuardian(args) => local::guardian(&args),
        Command::Plan(args) => Box::pin(plan::plan(*args)).await,
        Command::Judge(args) => Box::pin(judge::judge(&args)).await,
        Command::Diff(args) => diff::diff(&args),
        Command::Init(args) => Box::pin(init::init(&args)).await,
        Command::Lint(args) => lint::lint(&args),
        Command::Policy { command } => policy::policy(&command),
        Command::Verify(args) => verify::verify(&args),
        Command::Attest(args) => verify::attest(&args),
        Command::Cleanup(args) => cleanup::cleanup(&args).await,
        Command::Checks(args) => checks::list(&args),
        Command::Explain(args) => checks::explain(&args),
        Command::Completions(args) => completions::completions(&args),
        Command::Man => completions::man(),
        Command::Schema(args) => schema::schema(&args),
        Command::Operator(args) => Box::pin(operator::operator(args)).await,
        Command::Admission(args) => Box::pin(admission::admission(args)).await,
        Command::Crds => operator::crds(),
        Command::Rbac => rbac::rbac(),
        Command::Agent => agent::agent().await,
        Command::Middle(args) => middle::middle(args).await,
        Command::Guardian(args) => guardian::guardian(&args).await,
    };
    result.unwrap_or_else(|failure| {
        if failure.exit() != Exit::Success {
            // Nothing is left to tell it to when stderr is gone.
            writeln!(anstream::stderr(), "{failure}").ok();
        }
        failure.exit()
    })
}
