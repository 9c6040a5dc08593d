//! Which request comes next: those of one kind and one port, each as often as its weight says.

use std::collections::BTreeMap;

use super::LoadPlan;
use crate::config::RequestSpec;
use crate::evidence::Class;
use crate::plan::ServedPort;

/// Requests that may go on the same connection.
#[derive(Debug)]
pub(super) struct Choice {
    /// With their numbers in the plan.
    specs: Vec<(usize, RequestSpec)>,
    /// Sum of their weights.
    pub(super) weight: u32,
    /// Where they go, if they name a port.
    pub(super) port: Option<ServedPort>,
}

impl Choice {
    /// The choices of a class, one for each port. Without requests that read, or without any that write, the other ones
    /// stand for all classes but [`Class::Post`].
    pub(super) fn of(plan: &LoadPlan, class: Class) -> Vec<Self> {
        let reads = class != Class::Post && plan.requests.iter().any(|spec| spec.method.is_safe());
        let mut by_port: BTreeMap<Option<String>, Vec<(usize, RequestSpec)>> = BTreeMap::new();
        for (number, spec) in plan.requests.iter().enumerate().filter(|(_, s)| s.method.is_safe() == reads) {
            let port = spec.port.as_ref().map(ToString::to_string);
            by_port.entry(port).or_default().push((number, spec.clone()));
        }
        let choice = |(port, specs): (Option<String>, Vec<(usize, RequestSpec)>)| Self {
            weight: specs.iter().map(|(_, spec)| spec.weight.get()).sum(),
            port: port.and_then(|port| plan.ports.get(&port).copied()),
            specs,
        };
        by_port.into_iter().map(choice).collect()
    }

    /// One of them, by a random number.
    pub(super) fn pick(&self, random: u32) -> (usize, &RequestSpec) {
        let mut left = random % self.weight.max(1);
        for (number, spec) in &self.specs {
            match left.checked_sub(spec.weight.get()) {
                Some(rest) => left = rest,
                None => return (*number, spec),
            }
        }
        (self.specs[0].0, &self.specs[0].1) // no choice is empty
    }
}
