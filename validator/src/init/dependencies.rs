//! What a deployment calls, by what its environment names. Values from Secrets are not read: then the name of the variable
//! and the Services that there are must do.

use serde_json::Value;

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
}

/// Where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// A Service.
    Service(String),
    /// Any host.
    Host(String, u16),
}

/// What an address says.
struct Address {
    scheme: String,
    host: String,
    port: Option<u16>,
    is_encrypted: bool,
}

/// Dependencies in the order in which the environment names them, each once.
pub(super) fn find(deployment: &Value, services: &[Value]) -> Vec<Found> {
    let containers = deployment["spec"]["template"]["spec"]["containers"].as_array();
    let variables = containers.into_iter().flatten().flat_map(|c| c["env"].as_array().into_iter().flatten());
    let variables: Vec<&Value> = variables.collect();
    let mut found: Vec<Found> = Vec::new();
    for variable in &variables {
        let Some(name) = variable["name"].as_str() else { continue };
        let one = match variable["value"].as_str() {
            Some(value) => by_value(name, value, &variables, services),
            None => by_name(name, services),
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

fn by_value(name: &str, value: &str, variables: &[&Value], services: &[Value]) -> Option<Found> {
    let address = Address::of_url(value).or_else(|| Address::of_host(name, value, variables))?;
    if address.host.contains('$')
        || matches!(address.host.as_str(), "localhost" | "127.0.0.1" | "0.0.0.0" | "::1")
    {
        return None;
    }
    let (protocol, told) = address.protocol(name, services)?;
    let at = address.at(protocol, services)?;
    let short = address.host.split('.').next().unwrap_or(&address.host).to_owned();
    let guessed = told.map(|told| format!("{short}: {told}"));
    Some(Found { name: short, at, protocol, from: name.to_owned(), guessed })
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
    let more = if with_port.next().is_some() { ", and others have it too" } else { "" };
    let guessed = format!(
        "{service}: {name} is in a Secret, which is not read; Service `{service}` has port {port}{more}"
    );
    let at = At::Service(service.clone());
    Some(Found { name: service, at, protocol, from: name.to_owned(), guessed: Some(guessed) })
}

fn ports(service: &Value) -> impl Iterator<Item = u16> {
    let ports = service["spec"]["ports"].as_array().into_iter().flatten();
    ports.filter_map(|port| u16::try_from(port["port"].as_u64()?).ok())
}

impl Address {
    fn of_url(value: &str) -> Option<Self> {
        let (scheme, rest) = value.split_once("://")?;
        let scheme = scheme.rsplit(':').next()?.split('+').next()?.to_lowercase();
        let rest = rest.split(['/', '?']).next()?;
        // Of several hosts (MongoDB, a Postgres fail-over) the first stands for all.
        let first = rest.rsplit('@').next()?.split(',').next()?;
        let (host, port) = match first.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') => (host, port.parse().ok()),
            _ => (first, None),
        };
        let is_encrypted = matches!(scheme.as_str(), "https" | "rediss" | "amqps" | "grpcs")
            || ["sslmode=require", "sslmode=verify", "tls=true", "ssl=true"]
                .iter()
                .any(|word| value.contains(word));
        Some(Self { host: host.to_owned(), port, is_encrypted, scheme })
            .filter(|address| !address.host.is_empty())
    }

    /// `DB_HOST=postgres` with a `DB_PORT` beside it, or `REDIS_ADDR=redis:6379`.
    fn of_host(name: &str, value: &str, variables: &[&Value]) -> Option<Self> {
        let is_name = |text: &str| {
            !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
        };
        if let Some((host, port)) = value.split_once(':').filter(|(host, _)| is_name(host)) {
            let port = port.parse().ok()?;
            return Some(Self {
                scheme: String::new(),
                host: host.to_owned(),
                port: Some(port),
                is_encrypted: false,
            });
        }
        let stem = ["_HOST", "_HOSTNAME", "_SERVER"].into_iter().find_map(|end| name.strip_suffix(end));
        let stem = stem.or(Some("PG").filter(|_| name == "PGHOST")).filter(|_| is_name(value))?;
        let sibling = |variable: &&&Value| {
            let other = variable["name"].as_str().unwrap_or_default();
            other == format!("{stem}_PORT") || (stem == "PG" && other == "PGPORT")
        };
        let port =
            variables.iter().find(sibling).and_then(|variable| variable["value"].as_str()?.parse().ok());
        Some(Self { scheme: String::new(), host: value.to_owned(), port, is_encrypted: false })
    }

    /// What is spoken, by the scheme, else by the port; with a word about it if that is a guess.
    fn protocol(&self, name: &str, services: &[Value]) -> Option<(Protocol, Option<String>)> {
        let encrypted = |what: &str| {
            Some((
                Protocol::Tcp,
                Some(format!("{what} over TLS cannot be read; its connections can be counted and broken")),
            ))
        };
        let is_otlp = name.starts_with("OTEL_") || name.contains("OTLP");
        let known = match (self.scheme.as_str(), self.port) {
            ("https" | "grpcs", _) => return encrypted("HTTP"),
            _ if is_otlp => Protocol::Otlp,
            ("postgres" | "postgresql", _) if self.is_encrypted => return encrypted("Postgres"),
            ("postgres" | "postgresql", _) => Protocol::Postgres,
            ("rediss", _) => return encrypted("Redis"),
            ("redis" | "valkey", _) => Protocol::Redis,
            ("http" | "grpc", Some(4317 | 4318)) => Protocol::Otlp,
            ("http" | "grpc", _) => Protocol::Http,
            (
                "mysql" | "mongodb" | "amqp" | "amqps" | "kafka" | "nats" | "tcp" | "mssql" | "memcached",
                _,
            ) => Protocol::Tcp,
            ("", port) => return self.by_port(name, port, services),
            _ => return None,
        };
        Some((known, None))
    }

    fn by_port(
        &self,
        name: &str,
        port: Option<u16>,
        services: &[Value],
    ) -> Option<(Protocol, Option<String>)> {
        let port = port.or_else(|| self.port_of_service(services));
        let (protocol, why) = match port {
            Some(5432) => (Protocol::Postgres, "its port"),
            Some(6379) => (Protocol::Redis, "its port"),
            Some(4317 | 4318) => (Protocol::Otlp, "its port"),
            Some(_) => (Protocol::Tcp, "nothing; change it if it speaks HTTP"),
            None if name.starts_with("PG") || name.contains("POSTGRES") => {
                (Protocol::Postgres, "the variable's name")
            }
            None if name.contains("REDIS") => (Protocol::Redis, "the variable's name"),
            None => return None,
        };
        Some((protocol, Some(format!("protocol {} by {why} ({name})", protocol.name()))))
    }

    fn port_of_service(&self, services: &[Value]) -> Option<u16> {
        let short = self.host.split('.').next()?;
        let named = services.iter().find(|service| service["metadata"]["name"] == short)?;
        ports(named).next()
    }

    /// A Service where the name can be one; anything with a real domain is a host.
    fn at(&self, protocol: Protocol, services: &[Value]) -> Option<At> {
        let parts: Vec<&str> = self.host.split('.').collect();
        match parts[..] {
            [name] => Some(At::Service(name.to_owned())),
            [name, namespace, "svc", ..] => Some(At::Service(format!("{name}.{namespace}"))),
            // `postgres.data` may be a Service of another namespace; a top-level domain of its own is longer.
            [name, namespace]
                if services.iter().any(|s| s["metadata"]["name"] == name) || !is_domain(namespace) =>
            {
                Some(At::Service(format!("{name}.{namespace}")))
            }
            _ => Some(At::Host(self.host.clone(), self.port.or(usual_port(protocol, &self.scheme))?)),
        }
    }
}

/// The last part of a public name, as far as it is told from a namespace.
fn is_domain(part: &str) -> bool {
    ["com", "net", "org", "io", "dev", "cloud", "local", "internal", "app", "de", "eu", "uk"].contains(&part)
}

fn usual_port(protocol: Protocol, scheme: &str) -> Option<u16> {
    match (scheme, protocol) {
        ("https" | "grpcs", _) => Some(443),
        ("mysql", _) => Some(3306),
        ("mongodb", _) => Some(27_017),
        ("amqp", _) => Some(5672),
        ("amqps", _) => Some(5671),
        ("kafka", _) => Some(9092),
        ("nats", _) => Some(4222),
        ("rediss", _) | (_, Protocol::Redis) => Some(6379),
        ("postgres" | "postgresql", _) | (_, Protocol::Postgres) => Some(5432),
        (_, Protocol::Otlp) => Some(4317),
        (_, Protocol::Http) => Some(80),
        _ => None,
    }
}
