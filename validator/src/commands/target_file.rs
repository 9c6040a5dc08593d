//! What is to be gated, from a file or from arguments.

use crate::cli::{HeaderArg, TargetArgs, TrafficArgs};
use crate::cluster::deployment_name;
use crate::config::{GoLiveCheck, RequestSpec};
use crate::failure::Failure;

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
    at_rate(&args.traffic, &mut check);
    Ok(check)
}

/// What users ask for, by arguments.
///
/// # Errors
/// Exit 2 with the path that cannot be asked.
pub(super) fn requests(args: &TrafficArgs) -> Result<Vec<RequestSpec>, Failure> {
    let requests: Result<_, String> = args.get.iter().cloned().map(RequestSpec::get).collect();
    requests.map_err(|wrong| Failure::usage(format!("--get {wrong}")))
}

/// Takes the rate of the arguments, if there is one.
pub(super) fn at_rate(args: &TrafficArgs, check: &mut GoLiveCheck) {
    if let Some(rate) = args.rate {
        check.spec.traffic.rate = rate;
    }
}

/// Headers that the command line adds to every request.
pub(super) fn given(headers: &[HeaderArg]) -> Result<Vec<(String, String)>, Failure> {
    let mut given = Vec::new();
    for header in headers {
        given.extend(header.read().map_err(Failure::usage)?);
    }
    Ok(given)
}

fn from_arguments(target: &str, args: &TargetArgs) -> Result<GoLiveCheck, Failure> {
    let name = deployment_name(target)?;
    if args.traffic.get.is_empty() {
        return Err(Failure::usage("what do users ask for? expected at least one --get PATH")
            .hint(format!("validator run {target} --get '/api/users/{{1..1000}}'")));
    }
    let namespace = args.cluster.namespace.as_deref().unwrap_or("default");
    let mut check = GoLiveCheck::for_deployment(name, namespace, requests(&args.traffic)?);
    check.spec.target.service.clone_from(&args.service);
    Ok(check)
}
