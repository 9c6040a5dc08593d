//! What a command line of `validator local` asks for: the target file, or what stands in its place.

use std::ffi::OsString;
use std::path::Path;

use crate::cli::LocalArgs;
use crate::commands::target_file::{at_rate, requests};
use crate::config::{Dependency, GoLiveCheck, LocalDependency, Need, Protocol, Upstream};
use crate::failure::Failure;

/// The target file, or what the arguments say in its place.
///
/// # Errors
/// Exit 2 with the key or the argument that is wrong.
pub(super) fn read(args: &LocalArgs) -> Result<GoLiveCheck, Failure> {
    let mut check = match &args.file {
        Some(file) => GoLiveCheck::read(file)?,
        None => from_arguments(args)?,
    };
    let local = &mut check.spec.local;
    if !args.command.is_empty() {
        let text = |word: &OsString| word.clone().into_string();
        let words: Result<Vec<String>, _> = args.command.iter().map(text).collect();
        local.command =
            words.map_err(|word| Failure::usage(format!("COMMAND: {} is not UTF-8", word.display())))?;
    }
    local.replicas = args.replicas.unwrap_or(local.replicas);
    if local.command.is_empty() {
        return Err(Failure::usage(
            "what does a copy run? expected a command behind --, or spec.local.command",
        )
        .hint("validator local -f golive.yaml -- ./service --flag"));
    }
    if args.seed.is_some() {
        one_to_seed(&check)?;
    }
    at_rate(&args.traffic, &mut check);
    check.for_this_machine(&args.yes_break_it)?;
    Ok(check)
}

/// A seed is for the one throw-away Postgres.
fn one_to_seed(check: &GoLiveCheck) -> Result<(), Failure> {
    let local = &check.spec.local.dependencies;
    let throw_away = |d: &&Dependency| {
        d.protocol == Protocol::Postgres && local.get(&d.name).is_some_and(|found| found.url.is_none())
    };
    let all: Vec<&str> = check.spec.dependencies.iter().filter(throw_away).map(|d| d.name.as_str()).collect();
    match all.len() {
        0 => Err(Failure::usage("--seed: there is no throw-away Postgres to run it in")
            .hint("name its variable with --postgres, or in spec.local.dependencies without a url")),
        1 => Ok(()),
        _ => Err(Failure::usage(format!("--seed: for which throw-away Postgres: {}?", all.join(", ")))
            .hint("leave it out, and let the service fill what is empty; or name all but one by its url")),
    }
}

fn from_arguments(args: &LocalArgs) -> Result<GoLiveCheck, Failure> {
    let program = args.command.first().and_then(|word| Path::new(word).file_stem());
    let name = program.map_or_else(|| "service".to_owned(), |name| name.to_string_lossy().to_lowercase());
    let mut check = GoLiveCheck::for_deployment(&name, "default", requests(&args.traffic)?);
    let named = [
        ("postgres", Protocol::Postgres, &args.postgres),
        ("redis", Protocol::Redis, &args.redis),
        ("traces", Protocol::Otlp, &args.otlp),
    ];
    for (name, protocol, variable) in named {
        let Some(variable) = variable else { continue };
        let (name, readiness) =
            (name.to_owned(), if protocol.is_store() { Need::Required } else { Need::None });
        let upstream = Upstream::Service { name: name.clone(), namespace: None };
        let declared = LocalDependency { variable: variable.clone(), url: None };
        check.spec.local.dependencies.insert(name.clone(), declared);
        check.spec.dependencies.push(Dependency { name, upstream, protocol, readiness, breaker: None });
    }
    Ok(check)
}

#[cfg(test)]
mod tests {
    use super::one_to_seed;
    use crate::config::GoLiveCheck;

    const FILE: &str = "
apiVersion: golive.dev/v1alpha1
kind: GoLiveCheck
metadata: { name: users }
spec:
  target: { deployment: users }
  traffic: { requests: [{ get: / }] }
  dependencies: [{ name: one, service: one, protocol: postgres }, { name: two, service: two, protocol: postgres }]
  local:
    dependencies: { one: { variable: A }, two: { variable: B } }
";

    #[test]
    fn a_seed_needs_one_throw_away_postgres_and_no_second_one() {
        let told = |file: &str| one_to_seed(&GoLiveCheck::parse(file).unwrap()).err().map(|e| e.to_string());
        let both = told(FILE).unwrap();
        assert!(both.contains("one, two"), "{both}");
        assert_eq!(told(&FILE.replace("variable: B", "variable: B, url: \"postgres://db/two\"")), None);
        let none = told(&FILE.replace("{ one: { variable: A }, two: { variable: B } }", "{}")).unwrap();
        assert!(none.contains("no throw-away Postgres"), "{none}");
    }
}
