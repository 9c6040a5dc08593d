//! Whether a deployment may come in: pure, over what is asked and what is known.

use std::sync::Arc;

use super::asked::{Asked, BREAK_GLASS, Container, Deployment};
use super::known::{Known, Rules, Run};
use crate::verify::{Image, Standing, verify};

/// What is found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// It needs no GO, for this reason.
    Unasked(&'static str),
    /// Every image has one; a line each.
    Proven(Vec<String>),
    /// It has none, and somebody answers for that with a reason.
    BrokenGlass { reason: String, refusals: Vec<Refusal> },
    /// It has none.
    Refused { refusals: Vec<Refusal>, note: Option<String> },
}

/// An image without a GO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) image: String,
    /// The verdict, with what fails.
    pub(super) why: String,
    /// What would change that.
    pub(super) remedy: String,
}

/// Only a new image is asked about: what runs already is scaled, labelled and restarted as before, also after its GO has
/// ended, and a run's own rolls are not held up, its way back least of all.
pub(super) fn decide(asked: &Asked, known: &Known<'_>) -> Decision {
    if let Some(why) = unasked(asked, known.rules) {
        return Decision::Unasked(why);
    }
    let needy = asked.after.containers().filter(|one| !is_exempt(known.rules, &one.image));
    let each: Vec<Result<String, Refusal>> =
        needy.map(|container| standing(container, asked, known)).collect();
    if each.is_empty() {
        return Decision::Unasked("its images are exempt");
    }
    let refusals: Vec<Refusal> = each.iter().filter_map(|one| one.as_ref().err().cloned()).collect();
    if refusals.is_empty() {
        return Decision::Proven(each.into_iter().flatten().collect());
    }
    let reason = asked.after.break_glass();
    let is_old = asked.before.as_ref().is_some_and(|before| before.break_glass() == reason);
    match (reason.is_empty(), is_old) {
        (false, false) => Decision::BrokenGlass { reason: reason.to_owned(), refusals },
        // Else the first emergency would leave the door open for good.
        (false, true) => {
            let told = format!("the annotation {BREAK_GLASS} is that of an earlier change; say why this one");
            Decision::Refused { refusals, note: Some(told) }
        }
        (true, _) => Decision::Refused { refusals, note: None },
    }
}

/// Why nobody asks, if nobody does.
fn unasked(asked: &Asked, rules: &Rules) -> Option<&'static str> {
    let before = asked.before.as_ref();
    if before.is_some_and(|before| asked.after.containers().all(|one| before.has(&one.image))) {
        return Some("it brings no new image");
    }
    let account = asked.user_info.username.strip_prefix("system:serviceaccount:")?;
    let (namespace, name) = account.split_once(':')?;
    // A run creates its agents and rolls its target; its guardian has an account of its own, and nothing to do before that.
    let is_guardian = |run: &str| name.strip_suffix("-guardian") == Some(run);
    let is_run = name == rules.account || before.and_then(Deployment::rolled_by).is_some_and(is_guardian);
    (namespace == asked.namespace && is_run).then_some("a run of the gate does it")
}

/// Whether an image is of a repository that needs no GO.
fn is_exempt(rules: &Rules, image: &str) -> bool {
    let repository = repository(image);
    rules.exempt.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(begin) => begin.ends_with('/') && repository.starts_with(begin),
        None => pattern == repository,
    })
}

/// An image without its tag and its digest. A port of the registry stands before the last slash.
fn repository(image: &str) -> &str {
    let named = image.split_once('@').map_or(image, |(name, _)| name);
    let last = named.rfind('/').map_or(0, |slash| slash + 1);
    named[last..].find(':').map_or(named, |colon| &named[..last + colon])
}

/// What is known of one container's image.
fn standing(container: &Container, asked: &Asked, known: &Known<'_>) -> Result<String, Refusal> {
    let Container { name: container, image, .. } = container;
    let refusal = |why: String, remedy: String| Refusal { image: image.clone(), why, remedy };
    let Ok(named) = image.parse::<Image>() else {
        let (why, name) = by_tag(image, known);
        return Err(refusal(why, set_image(&asked.namespace, &asked.name, container, &name)));
    };
    match ask(&named, known) {
        Standing::Proven { run, until } => Ok(format!("{image}: GO by run {run}, good until {until}")),
        other => Err(refusal(other.to_string(), proof_of(&named, container, known))),
    }
}

fn ask(image: &Image, known: &Known<'_>) -> Standing {
    verify(known.runs.iter().map(|run| &run.proof), image, known.policy, known.now)
}

/// A tag can be moved. Where a run has proven what it named then, that digest is told.
fn by_tag(image: &str, known: &Known<'_>) -> (String, String) {
    let repository = repository(image);
    let digest = known.runs.iter().filter(|run| run.proof.image == image).find_map(|run| {
        let (_, digest) = run.proof.digest.as_deref()?.rsplit_once('@')?;
        let named: Image = format!("{repository}@{digest}").parse().ok()?;
        matches!(ask(&named, known), Standing::Proven { .. }).then_some(named.name)
    });
    let named = digest.unwrap_or_else(|| format!("{repository}@sha256:..."));
    ("it is named by a tag, which can be moved; a GO is about a digest".to_owned(), named)
}

/// The command that would prove an image: its last run again, or a first one.
fn proof_of(image: &Image, container: &str, known: &Known<'_>) -> String {
    let last = known.runs.iter().filter(|run| run.proof.is_about(image)).max_by_key(|run| run.proof.ended);
    match (last.map(Arc::as_ref), known.rules.asked_in.first()) {
        (Some(Run { namespace, check, .. }), _) => {
            format!(
                "kubectl -n {namespace} annotate golivecheck {check} golive.dev/run=\"$(date +%s)\" --overwrite"
            )
        }
        (None, namespace) => {
            set_image(namespace.map_or("NAMESPACE", String::as_str), "NAME", container, &image.name)
        }
    }
}

fn set_image(namespace: &str, name: &str, container: &str, image: &str) -> String {
    let name = if name.is_empty() { "NAME" } else { name };
    format!("kubectl -n {namespace} set image deployment/{name} {container}={image}")
}
