//! How the load is spread over the endpoints: what a zero among lost requests is worth.
//!
//! An end that meets no load proves nothing. Which share of the load each end met is told by the calls that its pod made
//! at its dependencies just before; where that is not to be had, the load is taken to be even.

use super::Timeline;
use crate::evidence::{Fact, Millis, ObjectKind, Step};

/// What is known of the share that each pod gets of the requests.
#[derive(Clone, Debug, PartialEq)]
pub enum Spread {
    /// By the calls that the pods made at their dependencies in the quiet phase: the least and the greatest share.
    Measured(f64, f64),
    /// `sessionAffinity: ClientIP`: each load agent is one client and holds to one endpoint until that is gone.
    Affinity,
    /// Even, since nothing told otherwise.
    Assumed,
}

impl Timeline<'_> {
    /// The spread of the requests that go through the Service.
    pub fn spread(&self) -> Spread {
        if self.has_affinity() {
            return Spread::Affinity;
        }
        let shares = self.span(Step::Quiet).map(|quiet| self.shares(quiet)).unwrap_or_default();
        let replicas = usize::try_from(self.plan().target.replicas).unwrap_or(0);
        if shares.is_empty() || shares.len() < replicas {
            return Spread::Assumed;
        }
        Spread::Measured(shares[0], shares[shares.len() - 1])
    }

    /// The share of the load that a pod had just before its end: measured, or an even one.
    pub fn share_at_end(&self, pod: &str, end: Millis) -> f64 {
        let even = 1.0 / f64::from(self.plan().target.replicas.max(1));
        self.share_before(pod, end).unwrap_or(even)
    }

    /// The share of the calls that a pod made in the seconds before its end, without those that we made it make by
    /// asking it past the Service.
    fn share_before(&self, pod: &str, end: Millis) -> Option<f64> {
        let window = (end - BEFORE, end);
        let calls = |pod: &str| self.calls.of_pod(pod).map(|calls| calls.within(window)).sum::<u64>() as f64;
        let direct = |pod: &str| {
            let seconds = self.load.direct_seconds(pod, window);
            seconds.map(|(_, second)| f64::from(second.due)).sum::<f64>()
        };
        let pods = || self.pods.iter().map(|pod| pod.name.as_str());
        let (all, past): (f64, f64) = (pods().map(calls).sum(), pods().map(direct).sum());
        let per_request = all / (self.load.all(window).answered as f64 + past).max(1.0);
        let through = |pod: &str| (calls(pod) - per_request * direct(pod)).max(0.0);
        let sum: f64 = pods().map(through).sum();
        (all >= ENOUGH / 2.0 && sum > 0.0).then(|| through(pod) / sum)
    }

    /// In words for reports.
    pub fn spread_text(&self) -> String {
        let percent = |share: f64| (share * 100.0).round();
        match self.spread() {
            Spread::Measured(least, most) => {
                format!(
                    "spread over the pods, measured by their calls: {} to {} % each",
                    percent(least),
                    percent(most)
                )
            }
            Spread::Affinity => format!(
                "sessionAffinity ClientIP: {} clients hold to one endpoint each, the ends of others met no load",
                self.plan().traffic.agents
            ),
            Spread::Assumed => "spread over the pods not measured, assumed to be even".to_owned(),
        }
    }

    fn has_affinity(&self) -> bool {
        let mut services = self.evidence.facts.iter().filter_map(|fact| match fact {
            Fact::Object(fact) if fact.kind == ObjectKind::Service => Some(&fact.object),
            _ => None,
        });
        let name = &self.plan().target.service;
        services.any(|s| s["metadata"]["name"] == name.as_str() && s["spec"]["sessionAffinity"] == "ClientIP")
    }

    /// Shares of the calls in a window, the least first; of the pods that were ready all through it.
    fn shares(&self, window: (Millis, Millis)) -> Vec<f64> {
        let calls = |pod: &str| self.calls.of_pod(pod).map(|calls| calls.within(window)).sum::<u64>() as f64;
        let mut counts: Vec<f64> =
            self.pods_ready_through(window).iter().map(|pod| calls(&pod.name)).collect();
        let all: f64 = counts.iter().sum();
        if all < ENOUGH {
            return Vec::new();
        }
        counts.sort_by(f64::total_cmp);
        counts.into_iter().map(|count| count / all).collect()
    }
}

/// Looked at before the end of a pod.
const BEFORE: Millis = 5_000;

/// Fewer calls say nothing of a spread.
const ENOUGH: f64 = 300.0;

#[cfg(test)]
mod tests {
    use super::Spread;
    use crate::evidence::{Change, Evidence, Fact, ObjectFact, ObjectKind};
    use crate::timeline::Timeline;
    use crate::timeline::tests::header;
    use serde_json::json;

    #[test]
    fn an_affinity_is_told_and_what_was_not_measured_is_said_to_be_assumed() {
        let service = |affinity: &str| {
            let object = json!({ "metadata": { "name": "s" }, "spec": { "sessionAffinity": affinity } });
            let fact = ObjectFact { at: 0, kind: ObjectKind::Service, change: Change::Listed, object };
            Evidence::new(header(), vec![Fact::Object(fact)])
        };
        let (sticky, even) = (service("ClientIP"), service("None"));
        let sticky = Timeline::new(&sticky);
        assert_eq!(sticky.spread(), Spread::Affinity);
        assert!(sticky.spread_text().contains("1 clients hold"), "{}", sticky.spread_text());
        assert_eq!(Timeline::new(&even).spread(), Spread::Assumed);
    }
}
