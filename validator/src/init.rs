//! Writes a target file by looking at what is there. It asks nothing, reads no Secret, and says what it guessed.

mod dependencies;
mod openapi;
mod text;

use serde_json::Value;

use crate::config::GoLiveCheck;
use crate::failure::Failure;
use crate::selector::selects;

use dependencies::Around;
pub use openapi::paths;

/// What there is to look at.
#[derive(Clone, Debug, Default)]
pub struct Objects {
    /// The deployment.
    pub deployment: Value,
    /// Services of its namespace.
    pub services: Vec<Value>,
}

/// A path that users ask for, with placeholders, and where it is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// The path.
    pub path: String,
    /// What was put in place of parameters, if anything.
    pub guessed: Option<String>,
}

/// What users ask for, as far as a document tells.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// The paths that are taken.
    pub paths: Vec<Path>,
    /// How many more there are.
    pub left_out: usize,
}

/// A target file, and what a person should look at in it.
#[derive(Debug)]
pub struct Written {
    /// The file.
    pub text: String,
    /// What was guessed.
    pub guesses: Vec<String>,
}

/// The target file for a deployment.
///
/// # Errors
/// Exit 2 where no Service leads to its pods: there would be no users to stand for.
pub fn write(objects: &Objects, asked: &Asked) -> Result<Written, Failure> {
    let paths = &asked.paths[..];
    let deployment = &objects.deployment;
    let name = deployment["metadata"]["name"].as_str().unwrap_or_default();
    let labels = deployment.pointer("/spec/template/metadata/labels");
    let leads = |service: &&Value| selects(service.pointer("/spec/selector"), labels);
    let mut services = objects.services.iter().filter(leads);
    let Some(service) = services.next() else {
        return Err(Failure::usage(format!("no Service selects the pods of deployment/{name}"))
            .hint("a service is gated by what its users see: the target needs a Service"));
    };
    let others = services.filter_map(|service| service["metadata"]["name"].as_str());
    let others: Vec<&str> = others.collect();
    let own: Vec<&str> = others.iter().copied().chain(service["metadata"]["name"].as_str()).collect();
    let namespace = deployment["metadata"]["namespace"].as_str().unwrap_or("default");
    let around = Around { services: &objects.services, own: &own, namespace };
    let found = dependencies::find(deployment, &around);
    let mut guesses: Vec<String> = found.iter().filter_map(|found| found.guessed.clone()).collect();
    if !others.is_empty() {
        guesses.push(format!("the Service: {} lead to its pods too", others.join(", ")));
    }
    if paths.is_empty() {
        guesses.push("what users ask for: nothing tells, so it is `GET /`; --openapi FILE gives more".into());
    }
    if asked.left_out > 0 {
        guesses.push(format!("{} more paths of the OpenAPI document are left out", asked.left_out));
    }
    guesses.extend(paths.iter().filter_map(|path| path.guessed.clone()));
    let text = text::file(deployment, service, &found, paths);
    // What we write ourselves has to be right.
    GoLiveCheck::parse(&text)
        .map_err(|e| Failure::internal(format!("a target file of our own is wrong: {e}")))?;
    Ok(Written { text, guesses })
}

#[cfg(test)]
mod tests;
