//! `validator policy`: a policy as it counts, whether it is valid, what a reviewer says of it, and the checklist it makes.

use std::io::Write;
use std::path::Path;

use crate::cli::{PolicyCheckArgs, PolicyCommand};
use crate::config::{Day, GoLiveCheck, GoLivePolicy};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::moment::now;
use crate::policy::{checklist, read, review};

/// Does one of them.
///
/// # Errors
/// Exit 2 for a policy that is not valid.
pub(super) fn policy(command: &PolicyCommand) -> Result<Exit, Failure> {
    match command {
        PolicyCommand::Print(args) => {
            let text = of(args.file.as_deref())?.yaml().map_err(Failure::internal)?;
            anstream::stdout().lock().write_all(text.as_bytes())?;
            Ok(Exit::Success)
        }
        PolicyCommand::Checklist(args) => {
            anstream::stdout().lock().write_all(checklist(&of(args.file.as_deref())?).as_bytes())?;
            Ok(Exit::Success)
        }
        PolicyCommand::Check(args) => check(args),
        PolicyCommand::Lint(args) => lint(&args.file),
    }
}

/// That of a file, else the built-in one.
fn of(file: Option<&Path>) -> Result<GoLivePolicy, Failure> {
    file.map(read).transpose().map(Option::unwrap_or_default)
}

/// Says that it is valid, and what of it is about a target.
fn check(args: &PolicyCheckArgs) -> Result<Exit, Failure> {
    let policy = read(&args.file)?;
    let mut out = anstream::stdout().lock();
    let (name, spec) = (&policy.metadata.name, &policy.spec);
    writeln!(
        out,
        "policy `{name}` is valid: {} severities, {} waivers, {} questions",
        spec.severity.len(),
        spec.waivers.len(),
        spec.questions.len()
    )?;
    let Some(target) = &args.target else { return Ok(Exit::Success) };
    let target = GoLiveCheck::read(target)?;
    let (namespace, deployment) = (&target.metadata.namespace, &target.spec.target.deployment);
    let today = Day::of(now());
    for waiver in spec.waivers.iter().filter(|waiver| waiver.scope.covers(namespace, deployment)) {
        let state = if waiver.until < today { "ended" } else { "holds until" };
        writeln!(out, "{} may fail for {namespace}/{deployment}: {state} {}", waiver.check, waiver.until)?;
    }
    for question in &spec.questions {
        let answer = target.spec.answers.iter().find(|answer| answer.question == question.id);
        let until = answer.map(|answer| answer.date.after(question.valid_for_days));
        let told = match until {
            None => "not answered".to_owned(),
            Some(until) if until < today => format!("answered, and no longer valid since {until}"),
            Some(until) => format!("answered, valid until {until}"),
        };
        writeln!(out, "{}: {told}", question.id)?;
    }
    Ok(Exit::Success)
}

fn lint(file: &Path) -> Result<Exit, Failure> {
    let policy = read(file)?;
    let remarks = review(&policy, Day::of(now()));
    let mut out = anstream::stdout().lock();
    for remark in &remarks {
        writeln!(out, "{}: {} {}: {}", file.display(), remark.severity, remark.field, remark.text)?;
    }
    if remarks.is_empty() {
        writeln!(out, "{}: nothing to say", file.display())?;
    }
    let gates = remarks.iter().any(|remark| remark.severity.gates());
    Ok(if gates { Exit::NoGo } else { Exit::Success })
}
