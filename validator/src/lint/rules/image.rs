//! The image and the room it gets.

use super::Rule;
use crate::check::Severity;
use crate::lint::bundle::Bundle;
use crate::lint::workload::{Said, Workload, said};

pub(super) const PINNED: Rule = Rule {
    id: "GL-R056",
    slug: "image-is-pinned",
    severity: Severity::Minor,
    why: "A roll back to `latest` comes back to whatever that is now, and no verdict is about it.",
    remedy: "Name a version or a digest.",
    find: pinned,
};

pub(super) const MEMORY: Rule = Rule {
    id: "GL-R057",
    slug: "memory-is-asked-for",
    severity: Severity::Minor,
    why: "Without a request the scheduler overfills the node, and the kernel picks who dies.",
    remedy: "Declare resources.requests.memory and resources.requests.cpu.",
    find: memory,
};

fn pinned(workload: &Workload, _: &Bundle) -> Vec<Said> {
    let loose = |image: &str| {
        let name = image.rsplit('/').next().unwrap_or(image);
        !image.contains('@') && name.split_once(':').is_none_or(|(_, tag)| tag == "latest")
    };
    let images = workload
        .containers()
        .filter_map(|(at, container)| Some((at, container["image"].as_str()?.to_owned())));
    images
        .filter(|(_, image)| loose(image))
        .map(|(at, image)| said(format!("{at}/image"), format!("`{image}` names no version")))
        .collect()
}

fn memory(workload: &Workload, _: &Bundle) -> Vec<Said> {
    let container = workload.container();
    let asked = |what: &str| {
        container.pointer(&format!("/resources/requests/{what}")).is_some()
            || container.pointer(&format!("/resources/limits/{what}")).is_some()
    };
    let missing: Vec<&str> = ["memory", "cpu"].into_iter().filter(|what| !asked(what)).collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let name = container["name"].as_str().unwrap_or_default();
    vec![said(
        workload.container_at(),
        format!("container `{name}` asks for no {}", missing.join(" and no ")),
    )]
}
