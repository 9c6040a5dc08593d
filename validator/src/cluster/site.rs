//! Where an agent can stand: the names that the target knows a dependency by, its ports, and where they lead.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{PodSpec, Service, ServicePort, ServiceSpec};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use kube::Api;
use kube::api::ListParams;

use super::{Cluster, aliases};
use crate::api_server::answer;
use crate::config::{Dependency, Upstream};
use crate::failure::Failure;
use crate::plan::TargetPlan;

/// A dependency, and where an agent can stand before it or why it cannot.
#[derive(Clone, Debug)]
pub struct Site {
    /// The dependency as declared.
    pub dependency: Dependency,
    /// The place, or the reason why there is none.
    pub(super) place: Result<Place, String>,
}

/// What the target connects to, and what is behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Names that are led to the agent.
    pub(super) names: Vec<String>,
    pub(super) ports: Vec<PlacePort>,
}

/// One port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct PlacePort {
    /// What clients connect to.
    pub(super) number: u16,
    /// `HOST:PORT` of the dependency, past our aliases.
    pub(super) upstream: String,
}

/// Looks at every dependency, and at the names that the target's template already leads elsewhere.
///
/// # Errors
/// Exit 2 when a Service does not exist, cannot be read or is the target's own, when a host is an address, and when one
/// name would lead to two places.
pub async fn find_sites(
    cluster: &Cluster,
    dependencies: &[Dependency],
    target: &TargetPlan,
) -> Result<Vec<Site>, Failure> {
    let mut sites: Vec<Site> = Vec::new();
    for dependency in dependencies {
        let told = |failure: Failure| failure.about(&format!("dependency `{}`", dependency.name));
        let place = place(cluster, &dependency.upstream, target).await.map_err(told)?;
        sites.push(Site { dependency: dependency.clone(), place });
    }
    apart(&sites)?;
    free(&sites, &template(cluster, &target.deployment).await?)?;
    Ok(sites)
}

async fn place(
    cluster: &Cluster,
    upstream: &Upstream,
    target: &TargetPlan,
) -> Result<Result<Place, String>, Failure> {
    let names = aliases::names(upstream, cluster.namespace());
    let (name, namespace) = match upstream {
        Upstream::Host { host, .. } if aliases::is_address(host) => {
            return Err(Failure::usage(format!("host `{host}` is an address: no name leads there"))
                .hint("let the service connect by a DNS name, and declare that name"));
        }
        Upstream::Host { host, port } => {
            let port = PlacePort { number: *port, upstream: format!("{host}:{port}") };
            return Ok(Ok(Place { names, ports: vec![port] }));
        }
        Upstream::Service { name, namespace } => (name, namespace.as_deref().unwrap_or(cluster.namespace())),
    };
    if *name == target.service && namespace == target.namespace {
        return Err(Failure::usage(format!("Service `{name}` is the target's own"))
            .hint("a dependency is what the target calls: name the Service of the other side"));
    }
    let spec = read(cluster, name, namespace).await?.spec.unwrap_or_default();
    if let Some(reason) = out_of_reach(&spec) {
        return Ok(Err(reason));
    }
    let mut ports = Vec::new();
    for port in spec.ports.iter().flatten() {
        let port = behind(cluster, &spec, (name, namespace), port).await?;
        if !ports.contains(&port) {
            ports.push(port);
        }
    }
    if ports.is_empty() {
        return Err(Failure::usage(format!("Service `{name}` names no port"))
            .hint(format!("declare it as `host: {name}` with the `port` that the target connects to")));
    }
    Ok(Ok(Place { names, ports }))
}

/// A Service of another namespace is read too, where we may.
async fn read(cluster: &Cluster, name: &str, namespace: &str) -> Result<Service, Failure> {
    let api: Api<Service> = Api::namespaced(cluster.client.clone(), namespace);
    let doing = "read a dependency's Service";
    let found = match answer(doing, api.get_opt(name)).await {
        Err(kube::Error::Api(status)) if status.code == 403 && namespace != cluster.namespace() => {
            let host = format!("host: {name}.{namespace}");
            return Err(Failure::usage(format!("no permission to read Service `{name}` in `{namespace}`"))
                .hint(format!("grant `get services` there, or declare it as `{host}` with its `port`")));
        }
        found => cluster.call(doing, async { found }).await?,
    };
    match found {
        Some(service) => Ok(service),
        None => Err(Failure::usage(format!("no Service `{name}` in namespace `{namespace}`"))
            .hint(format!("`kubectl get services -n {namespace}` lists those there"))),
    }
}

/// Why an agent would not be what the Service is.
fn out_of_reach(spec: &ServiceSpec) -> Option<String> {
    let other = spec.ports.iter().flatten().find(|p| p.protocol.as_deref().unwrap_or("TCP") != "TCP");
    if let Some(port) = other {
        return Some(format!("port {} of its Service is not TCP", port.port));
    }
    if spec.internal_traffic_policy.as_deref() == Some("Local") {
        return Some(
            "its Service keeps connections on their node (internalTrafficPolicy: Local); one agent stands on one node"
                .to_owned(),
        );
    }
    None
}

/// A Service with an address of its own is asked at that address. Behind the name of a headless one are pods, and no
/// proxy that would change the port: clients use the number of the pods.
async fn behind(
    cluster: &Cluster,
    spec: &ServiceSpec,
    (name, namespace): (&str, &str),
    port: &ServicePort,
) -> Result<PlacePort, Failure> {
    let number = u16::try_from(port.port).unwrap_or_default();
    if let Some(host) = spec.external_name.as_ref().filter(|_| spec.type_.as_deref() == Some("ExternalName"))
    {
        return Ok(PlacePort { number, upstream: format!("{host}:{number}") });
    }
    match spec.cluster_ip.as_deref() {
        Some(ip) if ip.contains(':') => Ok(PlacePort { number, upstream: format!("[{ip}]:{number}") }),
        Some(ip) if ip != "None" => Ok(PlacePort { number, upstream: format!("{ip}:{number}") }),
        _ => {
            let number = match port.target_port.clone().unwrap_or(IntOrString::Int(port.port)) {
                IntOrString::Int(number) => u16::try_from(number).unwrap_or_default(),
                IntOrString::String(_) => of_pods(cluster, (name, namespace), port).await?,
            };
            Ok(PlacePort { number, upstream: format!("{name}.{namespace}.svc:{number}") })
        }
    }
}

/// The number that pods give a port by name stands in the EndpointSlices.
async fn of_pods(
    cluster: &Cluster,
    (name, namespace): (&str, &str),
    port: &ServicePort,
) -> Result<u16, Failure> {
    let api: Api<EndpointSlice> = Api::namespaced(cluster.client.clone(), namespace);
    let of = ListParams::default().labels(&format!("kubernetes.io/service-name={name}"));
    let slices = cluster.call("list a dependency's endpoint slices", api.list(&of)).await;
    let slices = slices.map(|slices| slices.items).unwrap_or_default();
    let ports = slices.iter().flat_map(|slice| slice.ports.iter().flatten());
    let same =
        |theirs: &Option<String>| theirs.as_deref().unwrap_or("") == port.name.as_deref().unwrap_or("");
    let number = ports.filter(|p| same(&p.name)).find_map(|p| u16::try_from(p.port?).ok());
    number.ok_or_else(|| {
        Failure::usage(format!("which port the pods behind headless Service `{name}` have is not known"))
            .hint(format!(
                "declare it as `host: {name}.{namespace}` with the `port` that the target connects to"
            ))
    })
}

/// One name leads to one agent.
fn apart(sites: &[Site]) -> Result<(), Failure> {
    for (at, site) in sites.iter().enumerate() {
        let Ok(place) = &site.place else { continue };
        for other in &sites[..at] {
            let Ok(theirs) = &other.place else { continue };
            if let Some(name) = place.names.iter().find(|name| theirs.names.contains(name)) {
                let (one, two) = (&other.dependency.name, &site.dependency.name);
                return Err(Failure::usage(format!("dependencies `{one}` and `{two}` are both `{name}`"))
                    .hint("one name is one dependency, with all its ports: declare its Service once"));
            }
        }
    }
    Ok(())
}

/// A name that the template itself gives an address to would have two.
fn free(sites: &[Site], template: &PodSpec) -> Result<(), Failure> {
    for site in sites {
        let Ok(place) = &site.place else { continue };
        if let Some(name) = aliases::taken(template, &place.names) {
            return Err(Failure::usage(format!(
                "dependency `{}`: the pod template has a hostAlias for `{name}` already",
                site.dependency.name
            ))
            .hint("an agent cannot stand behind a fixed address: take the alias out, or leave the dependency out"));
        }
    }
    Ok(())
}

async fn template(cluster: &Cluster, deployment: &str) -> Result<PodSpec, Failure> {
    let api: Api<Deployment> = cluster.api();
    let found = cluster.call("read the deployment", api.get(deployment)).await?;
    Ok(found.spec.and_then(|spec| spec.template.spec).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::fake::Fake;
    use super::*;
    use crate::exit::Exit;
    use crate::timeline::tests::header;

    const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/demo/deployments/users";

    fn declared(upstreams: &[Value]) -> Vec<Dependency> {
        let one = |(number, upstream): (usize, &Value)| {
            let mut fields = json!({ "name": format!("d{number}"), "protocol": "tcp" });
            fields.as_object_mut().unwrap().extend(upstream.as_object().unwrap().clone());
            serde_json::from_value(fields).unwrap()
        };
        upstreams.iter().enumerate().map(one).collect()
    }

    /// What is found of these dependencies in a cluster with one Service.
    async fn found(service: (&str, Value), upstreams: &[Value], pod: Value) -> Result<Vec<Site>, Failure> {
        let (fake, cluster) = Fake::start().await;
        fake.put(service.0, json!({ "metadata": { "name": "db" }, "spec": service.1 }));
        let template = json!({ "spec": pod });
        fake.put(
            DEPLOYMENT,
            json!({ "metadata": { "name": "users" }, "spec": { "selector": {}, "template": template } }),
        );
        let mut target = header().plan.target;
        (target.deployment, target.service, target.namespace) =
            ("users".into(), "users".into(), "demo".into());
        find_sites(&cluster, &declared(upstreams), &target).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_nobody_tells_of_ends_the_search() {
        let cluster = Cluster::over(Fake::silent(), "demo", "it".into());
        let target = header().plan.target;
        let declared = declared(&[json!({ "service": "db" })]);
        let late = find_sites(&cluster, &declared, &target).await.unwrap_err();
        assert_eq!(late.exit(), Exit::Inconclusive);
        let wanted = "could not read a dependency's Service: the API server did not answer within 30 s";
        assert!(late.to_string().contains(wanted), "{late}");
    }

    async fn place_of(path: &str, spec: Value, upstream: Value) -> Result<Place, String> {
        let sites = found((path, spec), &[upstream], json!({ "containers": [] })).await;
        sites.unwrap().remove(0).place
    }

    const HERE: &str = "/api/v1/namespaces/demo/services/db";
    const THERE: &str = "/api/v1/namespaces/data/services/db";

    #[tokio::test]
    async fn an_agent_stands_before_every_kind_of_service() {
        let here = json!({ "service": "db" });
        let port = |upstream: &str, number| vec![PlacePort { number, upstream: upstream.to_owned() }];
        let plain = json!({ "clusterIP": "10.0.0.7", "ports": [{ "port": 5432, "targetPort": 15432 }] });
        assert_eq!(place_of(HERE, plain, here.clone()).await.unwrap().ports, port("10.0.0.7:5432", 5432));
        let headless = json!({ "clusterIP": "None", "ports": [{ "port": 5432, "targetPort": 15432 }] });
        let place = place_of(HERE, headless, here.clone()).await.unwrap();
        assert_eq!(place.ports, port("db.demo.svc:15432", 15432), "no proxy changes its port");
        let external =
            json!({ "type": "ExternalName", "externalName": "db.example.com", "ports": [{ "port": 6379 }] });
        assert_eq!(place_of(HERE, external, here).await.unwrap().ports, port("db.example.com:6379", 6379));
        let other = json!({ "clusterIP": "fd00::7", "ports": [{ "port": 5432 }] });
        let place = place_of(THERE, other, json!({ "service": "db.data" })).await.unwrap();
        assert_eq!(place.ports, port("[fd00::7]:5432", 5432));
        assert_eq!(place.names, ["db.data", "db.data.svc", "db.data.svc.cluster.local"]);
    }

    #[tokio::test]
    async fn what_an_agent_would_change_is_said() {
        for (change, reason) in [
            (json!({ "internalTrafficPolicy": "Local" }), "internalTrafficPolicy"),
            (json!({ "ports": [{ "port": 53, "protocol": "UDP" }] }), "not TCP"),
        ] {
            let mut spec = json!({ "clusterIP": "10.0.0.7", "ports": [{ "port": 53 }] });
            spec.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let why = place_of(HERE, spec, json!({ "service": "db" })).await.unwrap_err();
            assert!(why.contains(reason), "{why}");
        }
    }

    #[tokio::test]
    async fn what_cannot_be_led_is_refused_with_the_next_step() {
        let spec = json!({ "clusterIP": "10.0.0.7", "ports": [{ "port": 5432 }] });
        let empty = json!({ "containers": [] });
        let fixed =
            json!({ "containers": [], "hostAliases": [{ "ip": "10.9.9.9", "hostnames": ["db.demo"] }] });
        let host = |host: &str| json!({ "host": host, "port": 5432 });
        let service = |name: &str| json!({ "service": name });
        for (upstreams, pod, told) in [
            (vec![host("10.0.0.7")], &empty, "is an address"),
            (vec![service("gone")], &empty, "no Service `gone`"),
            (vec![service("users")], &empty, "the target's own"),
            (vec![service("db"), host("db.demo.svc")], &empty, "are both `db.demo.svc`"),
            (vec![service("db")], &fixed, "hostAlias for `db.demo`"),
        ] {
            let refused = found((HERE, spec.clone()), &upstreams, pod.clone()).await.unwrap_err();
            assert_eq!(refused.exit(), Exit::Usage);
            assert!(refused.to_string().contains(told) && refused.to_string().contains("hint:"), "{refused}");
        }
        let nameless = json!({ "type": "ExternalName", "externalName": "db.example.com" });
        let refused = found((HERE, nameless), &[service("db")], empty).await.unwrap_err().to_string();
        assert!(refused.contains("names no port") && refused.contains("host: db"), "{refused}");
    }
}
