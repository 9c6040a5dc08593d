//! What a deployment calls, by what its environment names. Values from Secrets are not read: then the name of the variable
//! and the Services that there are must do.

mod address;

use serde_json::Value;

use self::address::Address;
use crate::config::Protocol;

/// One dependency that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// Its name.
    pub(super) name: String,
    /// Its Service, as `NAME` or `NAME.NAMESPACE`, or a host and a port.
    pub(super) at: At,
    /// What is spoken.
    pub(super) protocol: Protocol,
    /// Where it is from.
    pub(super) from: String,
    /// What was guessed of it, if anything.
    pub(super) guessed: Option<String>,
    /// Whether it stands in the file as an entry: what a run breaks is what the environment names beyond doubt.
    pub(super) is_sure: bool,
}

/// What there is around the deployment.
pub(super) struct Around<'a> {
    /// Services that are known.
    pub(super) services: &'a [Value],
    /// Names of those that lead to the deployment itself.
    pub(super) own: &'a [&'a str],
    /// Its namespace.
    pub(super) namespace: &'a str,
}

impl Around<'_> {
    fn service(&self, host: &str) -> Option<&Value> {
        let short = host.split('.').next()?;
        self.services.iter().find(|service| service["metadata"]["name"] == short)
    }

    /// Whether a host is the deployment's own Service.
    fn is_own(&self, host: &str) -> bool {
        let mut parts = host.split('.');
        let name = parts.next().unwrap_or_default();
        self.own.contains(&name) && parts.next().is_none_or(|namespace| namespace == self.namespace)
    }
}

/// Words in names of variables whose address the deployment tells others, or reaches others through.
const NOT_CALLED: [&str; 12] = [
    "PROXY",
    "PUBLIC",
    "ISSUER",
    "CALLBACK",
    "REDIRECT",
    "XMLNS",
    "ORIGIN",
    "ORIGINS",
    "CORS",
    "AUDIENCE",
    "FRONTEND",
    "CANONICAL",
];

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// A Service.
    Service(String),
    /// Any host.
    Host(String, u16),
}

/// Dependencies in the order in which the environment names them, each once.
pub(super) fn find(deployment: &Value, around: &Around) -> Vec<Found> {
    let containers = deployment["spec"]["template"]["spec"]["containers"].as_array();
    let variables = containers.into_iter().flatten().flat_map(|c| c["env"].as_array().into_iter().flatten());
    let variables: Vec<&Value> = variables.collect();
    let mut found: Vec<Found> = Vec::new();
    for variable in &variables {
        let Some(name) = variable["name"].as_str() else { continue };
        if name.to_uppercase().split('_').any(|word| NOT_CALLED.contains(&word)) {
            continue;
        }
        let one = match variable["value"].as_str() {
            Some(value) => by_value(name, value, &variables, around),
            None => by_name(name, around.services),
        };
        let Some(mut one) = one else { continue };
        if found.iter().any(|other| other.at == one.at) {
            continue;
        }
        if found.iter().any(|other| other.name == one.name) {
            one.name = format!("{}-{}", one.name, found.len() + 1);
        }
        found.push(one);
    }
    found
}

fn by_value(name: &str, value: &str, variables: &[&Value], around: &Around) -> Option<Found> {
    let address = Address::of_url(value).or_else(|| Address::of_host(name, value, variables, around))?;
    let is_local = matches!(address.host.as_str(), "localhost" | "127.0.0.1" | "0.0.0.0" | "::1");
    if address.host.contains('$') || is_local || around.is_own(&address.host) {
        return None;
    }
    let (protocol, told) = address.protocol(name, around)?;
    let at = address.at(protocol, around)?;
    let short = address.host.split('.').next().unwrap_or(&address.host).to_owned();
    let is_sure = is_read(protocol) || address.is_store() || address.is_service(around);
    let doubt = (!is_sure).then(|| {
        format!(
            "whether it is called: no Service `{}` is known here ({name}), so it is a comment",
            address.host
        )
    });
    let told: Vec<String> = told.into_iter().chain(doubt).collect();
    let guessed = (!told.is_empty()).then(|| format!("{short}: {}", told.join("; ")));
    Some(Found { name: short, at, protocol, from: name.to_owned(), guessed, is_sure })
}

/// A value that is in a Secret: the only Service whose port is that of what the name says.
fn by_name(name: &str, services: &[Value]) -> Option<Found> {
    let upper = name.to_uppercase();
    let says = |words: &[&str]| words.iter().any(|word| upper.contains(word));
    let (protocol, port) = if says(&["POSTGRES", "DATABASE", "PGHOST", "PG_", "DB_URL", "DB_HOST"]) {
        (Protocol::Postgres, 5432)
    } else if says(&["REDIS", "CACHE_URL", "VALKEY"]) {
        (Protocol::Redis, 6379)
    } else {
        return None;
    };
    let mut with_port = services.iter().filter(|service| ports(service).any(|other| other == port));
    let service = with_port.next()?["metadata"]["name"].as_str()?.to_owned();
    let is_sure = with_port.next().is_none();
    let more = if is_sure { "" } else { ", and others have it too, so it is a comment" };
    let guessed = format!(
        "{service}: {name} is in a Secret, which is not read; Service `{service}` has port {port}{more}"
    );
    let at = At::Service(service.clone());
    Some(Found { name: service, at, protocol, from: name.to_owned(), guessed: Some(guessed), is_sure })
}

fn ports(service: &Value) -> impl Iterator<Item = u16> {
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    ports.filter_map(|port| u16::try_from(port["port"].as_u64()?).ok())
}

/// Whether it was told by more than an open port: nobody names a store or a collector but to call it.
fn is_read(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Postgres | Protocol::Redis | Protocol::Otlp)
}
