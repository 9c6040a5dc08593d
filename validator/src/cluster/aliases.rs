//! Names of dependencies that lead to our agents: the `hostAliases` of a pod template (core/v1, PodSpec).

use std::net::IpAddr;

use k8s_openapi::api::core::v1::{HostAlias, PodSpec};

use crate::config::Upstream;

/// A name in each alias of ours, by which it is known whatever has become of its run. Nobody resolves it (RFC 2606, 2).
const MARK: &str = "agent.golive.invalid";

/// Leads these names to the address of an agent's Service.
pub(super) fn leading(ip: &str, names: &[String]) -> HostAlias {
    let hostnames = names.iter().cloned().chain([MARK.to_owned()]).collect();
    HostAlias { hostnames: Some(hostnames), ip: ip.to_owned() }
}

/// Whether pods of this kind are led to an agent, of whatever run.
pub(super) fn leads(pod: &PodSpec) -> bool {
    pod.host_aliases.iter().flatten().any(is_ours)
}

/// What is left of the aliases without ours.
pub(super) fn without_ours(pod: &PodSpec) -> Vec<HostAlias> {
    pod.host_aliases.iter().flatten().filter(|alias| !is_ours(alias)).cloned().collect()
}

fn is_ours(alias: &HostAlias) -> bool {
    is_marked(alias.hostnames.iter().flatten().map(String::as_str))
}

/// Whether these names of one alias are of an alias of ours.
pub(super) fn is_marked<'n>(mut names: impl Iterator<Item = &'n str>) -> bool {
    names.any(|name| name == MARK)
}

/// The name that the template itself gives another address to, if it does so with one of these.
pub(super) fn taken<'n>(pod: &PodSpec, names: &'n [String]) -> Option<&'n String> {
    let theirs = without_ours(pod);
    let theirs: Vec<&String> = theirs.iter().flat_map(|alias| alias.hostnames.iter().flatten()).collect();
    names.iter().find(|name| theirs.contains(name))
}

/// Every name by which a pod of `namespace` may look a dependency up. The cluster's DNS knows a Service as
/// `SERVICE.NAMESPACE.svc.DOMAIN`; the search list of a pod's `resolv.conf` makes the shorter ones of it.
pub(super) fn names(upstream: &Upstream, namespace: &str) -> Vec<String> {
    match upstream {
        Upstream::Host { host, .. } => vec![host.clone()],
        Upstream::Service { name, namespace: other } => {
            let home = other.as_deref().unwrap_or(namespace);
            let short = (home == namespace).then(|| name.clone());
            let long = ["", ".svc", ".svc.cluster.local"].map(|end| format!("{name}.{home}{end}"));
            short.into_iter().chain(long).collect()
        }
    }
}

/// An address needs no look-up: no alias can lead it anywhere.
pub(super) fn is_address(host: &str) -> bool {
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json};

    use super::*;

    fn service(namespace: Option<&str>) -> Upstream {
        Upstream::Service { name: "db".into(), namespace: namespace.map(str::to_owned) }
    }

    #[test]
    fn a_service_is_found_by_every_name_that_a_pod_may_call_it_by() {
        let long = ["db.demo", "db.demo.svc", "db.demo.svc.cluster.local"];
        assert_eq!(names(&service(None), "demo"), [&["db"], &long[..]].concat());
        assert_eq!(names(&service(Some("demo")), "demo"), [&["db"], &long[..]].concat());
        assert_eq!(names(&service(Some("demo")), "shop"), long, "`db` is another one in another namespace");
        let host = Upstream::Host { host: "db.example.com".into(), port: 5432 };
        assert_eq!(names(&host, "demo"), ["db.example.com"]);
    }

    #[test]
    fn ours_are_told_from_those_of_the_template() {
        let theirs = json!([{ "ip": "10.0.0.9", "hostnames": ["ldap", "mail"] }]);
        let mut pod: PodSpec = from_value(json!({ "containers": [], "hostAliases": theirs })).unwrap();
        assert!(!leads(&pod));
        assert_eq!(taken(&pod, &["db".into(), "mail".into()]), Some(&"mail".to_owned()));
        pod.host_aliases.as_mut().unwrap().push(leading("10.96.0.7", &["db".into()]));
        assert!(leads(&pod));
        assert_eq!(serde_json::to_value(without_ours(&pod)).unwrap(), theirs);
        assert_eq!(taken(&pod, &["db".into()]), None, "our own is no conflict");
    }

    #[test]
    fn an_address_cannot_be_led_elsewhere() {
        for (host, address) in [("10.0.0.1", true), ("[fd00::1]", true), ("fd00::1", true), ("db", false)] {
            assert_eq!(is_address(host), address, "{host}");
        }
    }
}
