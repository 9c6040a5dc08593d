//! `validator init`: a target file by looking at the objects.

use std::io::Write;
use std::path::Path;

use super::lint;
use crate::cli::InitArgs;
use crate::cluster::{Cluster, deployment_name, objects};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::init::{Asked, Objects, paths, write};
use crate::lint::objects_of;
use crate::report::legible;

/// Writes a target file, and tells what was guessed.
///
/// # Errors
/// Exit 2 for a deployment that is not there, and for a file that is.
pub(super) async fn init(args: &InitArgs) -> Result<Exit, Failure> {
    if args.output.exists() && !args.force {
        return Err(Failure::usage(format!("{} is there already", args.output.display()))
            .hint("--force writes over it, --output names another file"));
    }
    let name = args.target.as_deref().map(deployment_name).transpose()?;
    let found = match &args.file {
        Some(path) => from_manifests(path, name)?,
        None => from_cluster(args, name).await?,
    };
    let paths = match &args.openapi {
        Some(file) => paths(
            &std::fs::read_to_string(file)
                .map_err(|e| Failure::usage(format!("--openapi: cannot read {}: {e}", file.display())))?,
        )?,
        None => Asked::default(),
    };
    let written = write(&found, &paths)?;
    std::fs::write(&args.output, &written.text)
        .map_err(|e| Failure::usage(format!("cannot write {}: {e}", args.output.display())))?;
    let mut out = anstream::stdout().lock();
    let file = args.output.display();
    writeln!(out, "wrote {file}")?;
    for guess in &written.guesses {
        writeln!(out, "guessed: {}", legible(guess))?;
    }
    writeln!(out, "\nnext: validator plan -f {file}   # what a run would do; nothing is touched")?;
    Ok(Exit::Success)
}

/// The one deployment of the manifests, or the named one.
fn from_manifests(path: &Path, name: Option<&str>) -> Result<Objects, Failure> {
    let all = objects_of(&lint::read(path)?).map_err(|e| Failure::usage(e.to_string()))?;
    let of_kind =
        |kind: &str| all.iter().filter(|object| object["kind"] == kind).cloned().collect::<Vec<_>>();
    let deployments = of_kind("Deployment");
    let is_named = |object: &&serde_json::Value| name.is_none_or(|name| object["metadata"]["name"] == name);
    let mut named = deployments.iter().filter(is_named);
    match (named.next(), named.next()) {
        (Some(deployment), None) => {
            Ok(Objects { deployment: deployment.clone(), services: of_kind("Service") })
        }
        (None, _) => Err(Failure::usage("no such Deployment is in these manifests")),
        (Some(_), Some(_)) => {
            let names = deployments.iter().filter_map(|object| object["metadata"]["name"].as_str());
            Err(Failure::usage("several Deployments are in these manifests")
                .hint(format!("name one, as deployment/NAME: {}", names.collect::<Vec<_>>().join(", "))))
        }
    }
}

async fn from_cluster(args: &InitArgs, name: Option<&str>) -> Result<Objects, Failure> {
    let Some(name) = name else {
        return Err(Failure::usage("name a target: deployment/NAME, or manifests with -f"));
    };
    let namespace = args.cluster.namespace.as_deref().unwrap_or("default");
    let cluster = Cluster::connect(args.cluster.context.as_deref(), namespace).await?;
    objects(&cluster, name).await
}
