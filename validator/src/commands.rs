//! One module per command; each returns how the process ends.

mod agent;
mod checks;
mod cleanup;
mod guardian;
mod judge;
mod local;
mod middle;
mod plan;
mod rbac;
mod run;
mod target_file;

use std::fs::File;
use std::io::Write;

use crate::cli::{Cli, Command};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::report::{Format, Report, ReportFile};

/// Longest part of a holder's name: with what stands around it and is added to it, it stays below 63 characters.
const MAX_PART: usize = 40;

/// Runs the command and returns its exit code; failures are told on stderr.
pub async fn run(cli: Cli) -> Exit {
    let result = match cli.command {
        Command::Run(args) => Box::pin(run::run(*args)).await,
        Command::Local(args) => Box::pin(local::local(*args)).await,
        Command::LocalGuardian(args) => local::guardian(&args),
        Command::Plan(args) => Box::pin(plan::plan(*args)).await,
        Command::Judge(args) => judge::judge(&args),
        Command::Cleanup(args) => cleanup::cleanup(&args).await,
        Command::Checks(args) => checks::list(&args),
        Command::Explain(args) => checks::explain(&args),
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

/// A new name for whoever holds the Lease; what he creates is labelled with it, so it fits a label.
fn holder(part: &str) -> String {
    let part: String = part.chars().take(MAX_PART).collect();
    let suffix = uuid::Uuid::new_v4().simple().to_string();
    format!("golive-{}-{}", part.trim_end_matches(['-', '.']), &suffix[..6])
}

/// Writes the files asked for, then prints the report. A reader that has seen enough (`| head -1`) changes neither:
/// the verdict is the exit code.
fn publish(report: &Report, files: &[ReportFile]) -> Result<(), Failure> {
    for ReportFile { format, path } in files {
        let cannot = |e: std::io::Error| Failure::usage(format!("cannot write {}: {e}", path.display()));
        let file = File::create(path).map_err(cannot)?;
        let mut out = anstream::StripStream::new(file);
        report.write(*format, &mut out).and_then(|()| out.flush()).map_err(cannot)?;
    }
    match report.write(Format::Terminal, &mut anstream::stdout().lock()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::holder;

    #[test]
    fn holders_fit_a_label_and_stay_apart() {
        let long = holder(&"a".repeat(253));
        assert!(long.len() < 60, "{long}");
        assert_ne!(holder("users"), holder("users"));
        assert!(holder("users").starts_with("golive-users-"));
    }
}
