//! All objects of the given manifests, and which belong together.

use super::Source;
use super::manifest::{Manifest, ManifestError};
use super::workload::Workload;
use crate::selector::selects;

/// Objects by what they are for.
#[derive(Debug)]
pub(super) struct Bundle {
    /// Deployments, StatefulSets and DaemonSets.
    pub(super) workloads: Vec<Workload>,
    services: Vec<Manifest>,
    budgets: Vec<Manifest>,
    autoscalers: Vec<Manifest>,
}

impl Bundle {
    pub(super) fn read(sources: &[Source]) -> Result<Self, ManifestError> {
        let mut bundle = Self {
            workloads: Vec::new(),
            services: Vec::new(),
            budgets: Vec::new(),
            autoscalers: Vec::new(),
        };
        for source in sources {
            for manifest in Manifest::read(source)? {
                match manifest.kind() {
                    "Service" => bundle.services.push(manifest),
                    "PodDisruptionBudget" => bundle.budgets.push(manifest),
                    "HorizontalPodAutoscaler" => bundle.autoscalers.push(manifest),
                    _ => bundle.workloads.extend(Workload::of(manifest)),
                }
            }
        }
        Ok(bundle)
    }

    /// Services that select the pods of a workload.
    pub(super) fn services_of<'a>(&'a self, workload: &'a Workload) -> impl Iterator<Item = &'a Manifest> {
        let labels = workload.manifest.get("/spec/template/metadata/labels");
        let selects = move |service: &&Manifest| selects(service.get("/spec/selector"), labels);
        self.services.iter().filter(|service| together(service, workload)).filter(selects)
    }

    /// Whether users come to a workload over the network, as far as it is declared.
    pub(super) fn is_served(&self, workload: &Workload) -> bool {
        workload.container()["ports"].is_array() || self.services_of(workload).next().is_some()
    }

    /// Disruption budgets of its namespace.
    pub(super) fn budgets_near<'a>(&'a self, workload: &'a Workload) -> impl Iterator<Item = &'a Manifest> {
        self.budgets.iter().filter(|budget| together(budget, workload))
    }

    /// The autoscaler that scales it.
    pub(super) fn autoscaler_of<'a>(&'a self, workload: &'a Workload) -> Option<&'a Manifest> {
        let target = |scaler: &&Manifest| {
            let of = |field: &str| scaler.value["spec"]["scaleTargetRef"][field].as_str();
            of("name") == Some(workload.manifest.name()) && of("kind") == Some(workload.manifest.kind())
        };
        self.autoscalers.iter().filter(|scaler| together(scaler, workload)).find(target)
    }
}

/// A manifest without a namespace goes wherever it is applied to.
fn together(one: &Manifest, workload: &Workload) -> bool {
    let (one, other) = (one.namespace(), workload.manifest.namespace());
    one == other || one.is_empty() || other.is_empty()
}
