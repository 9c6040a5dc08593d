//! What is to be gated, from a file or from arguments.

use super::rules;
use crate::cli::TargetArgs;
use crate::cluster::deployment_name;
use crate::config::{GoLiveCheck, RequestSpec};
use crate::failure::Failure;
use crate::plan::Plan;
use crate::policy::Rules;
use crate::steer::Target;

/// The target file, or what the arguments say in its place.
pub(super) fn read(args: &TargetArgs) -> Result<GoLiveCheck, Failure> {
    let mut check = match (&args.file, &args.target) {
        (Some(file), _) => GoLiveCheck::read(file)?,
        (None, Some(target)) => from_arguments(target, args)?,
        (None, None) => return Err(Failure::usage("name a target: deployment/NAME or -f FILE")),
    };
    if let Some(namespace) = &args.cluster.namespace {
        check.metadata.namespace.clone_from(namespace);
    }
    if let Some(rate) = args.rate {
        check.spec.traffic.rate = rate;
    }
    Ok(check)
}

/// What the command line adds to a target file.
pub(super) struct Given {
    /// Headers of every request, with their values.
    headers: Vec<(String, String)>,
    /// What is judged by.
    rules: Rules,
}

/// Reads it.
pub(super) fn given(args: &TargetArgs, check: &GoLiveCheck) -> Result<Given, Failure> {
    let mut headers = Vec::new();
    for header in &args.header {
        headers.extend(header.read().map_err(Failure::usage)?);
    }
    Ok(Given { headers, rules: rules::read(&args.rules, &check.spec.policy)? })
}

/// The plan of a run; values of headers go to the target, that is in no file, and only their names into the plan.
pub(super) fn plan(
    check: &GoLiveCheck,
    target: &mut Target,
    given: &Given,
    run: &str,
) -> Result<Plan, Failure> {
    for request in 0..check.spec.traffic.requests.len() {
        for (name, value) in &given.headers {
            target.headers.add(request, name, value).map_err(Failure::usage)?;
        }
    }
    let names = given.headers.iter().map(|(name, _)| name.clone()).collect();
    let mut plan = Plan::new(check, target.plan.clone(), target.ports.clone(), names, run);
    given.rules.govern(&mut plan);
    Ok(plan)
}

fn from_arguments(target: &str, args: &TargetArgs) -> Result<GoLiveCheck, Failure> {
    let name = deployment_name(target)?;
    if args.get.is_empty() {
        return Err(Failure::usage("what do users ask for? expected at least one --get PATH")
            .hint(format!("validator run {target} --get '/api/users/{{1..1000}}'")));
    }
    let requests: Result<_, String> = args.get.iter().cloned().map(RequestSpec::get).collect();
    let requests = requests.map_err(|wrong| Failure::usage(format!("--get {wrong}")))?;
    let namespace = args.cluster.namespace.as_deref().unwrap_or("default");
    let mut check = GoLiveCheck::for_deployment(name, namespace, requests);
    check.spec.target.service.clone_from(&args.service);
    Ok(check)
}
