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

/// Ends of names whose value is an address.
const ADDRESSES: [&str; 10] =
    ["_ADDR", "_ADDRESS", "_HOST", "_HOSTS", "_ENDPOINT", "_SERVER", "_SERVERS", "_BROKERS", "_URL", "_URI"];

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

impl Address {
    fn of_url(value: &str) -> Option<Self> {
        let (scheme, rest) = value.split_once("://")?;
        let scheme = scheme.rsplit(':').next()?.split('+').next()?.to_lowercase();
        // A password that nobody escaped may hold any of the signs that end a host: no part of it may be taken for one. Where
        // there are no passwords a path may hold an `@`.
        let authority = if matches!(scheme.as_str(), "http" | "https" | "grpc" | "grpcs") {
            rest.split(['/', '?']).next()?.rsplit('@').next()?
        } else {
            let query = rest.rsplit_once('?').filter(|(_, query)| query.contains('='));
            query.map_or(rest, |(before, _)| before).rsplit('@').next()?.split(['/', '?']).next()?
        };
        // Of several hosts (MongoDB, a Postgres fail-over) the first stands for all.
        let first = authority.split(',').next()?;
        let (host, port) = match first.rsplit_once(':') {
            Some((host, port)) if !host.contains(':') => (host, port.parse().ok()),
            _ => (first, None),
        };
        let is_encrypted = matches!(scheme.as_str(), "https" | "rediss" | "amqps" | "grpcs")
            || ["sslmode=require", "sslmode=verify", "tls=true", "ssl=true"]
                .iter()
                .any(|word| value.contains(word));
        Some(Self { host: host.to_owned(), port, is_encrypted, scheme })
            .filter(|address| is_host(&address.host))
    }

    /// `DB_HOST=postgres` with a `DB_PORT` beside it, or `REDIS_ADDR=redis:6379`.
    fn of_host(name: &str, value: &str, variables: &[&Value], around: &Around) -> Option<Self> {
        if let Some((host, port)) = value.split_once(':').filter(|(host, _)| is_host(host)) {
            let port = port.parse().ok()?;
            let is_address = ADDRESSES.iter().any(|end| name.ends_with(end));
            if !is_address && around.service(host).is_none() {
                return None;
            }
            return Some(Self {
                scheme: String::new(),
                host: host.to_owned(),
                port: Some(port),
                is_encrypted: false,
            });
        }
        let stem = ["_HOST", "_HOSTNAME", "_SERVER"].into_iter().find_map(|end| name.strip_suffix(end));
        let stem = stem.or(Some("PG").filter(|_| name == "PGHOST")).filter(|_| is_host(value))?;
        let sibling = |variable: &&&Value| {
            let other = variable["name"].as_str().unwrap_or_default();
            other == format!("{stem}_PORT") || (stem == "PG" && other == "PGPORT")
        };
        let port =
            variables.iter().find(sibling).and_then(|variable| variable["value"].as_str()?.parse().ok());
        Some(Self { scheme: String::new(), host: value.to_owned(), port, is_encrypted: false })
    }

    /// What is spoken, by the scheme, else by the port; with a word about it if that is a guess.
    fn protocol(&self, name: &str, around: &Around) -> Option<(Protocol, Option<String>)> {
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
            ("", port) => return self.by_port(name, port, around),
            _ => return None,
        };
        Some((known, None))
    }

    fn by_port(&self, name: &str, port: Option<u16>, around: &Around) -> Option<(Protocol, Option<String>)> {
        let port = port.or_else(|| ports(around.service(&self.host)?).next());
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

    /// Whether its scheme is that of a store or a queue: nobody names one of these but to call it.
    fn is_store(&self) -> bool {
        !matches!(self.scheme.as_str(), "" | "http" | "https" | "grpc" | "grpcs" | "tcp")
    }

    /// Whether it is a Service, as far as one can see from here.
    fn is_service(&self, around: &Around) -> bool {
        let parts: Vec<&str> = self.host.split('.').collect();
        match parts[..] {
            [_] => around.service(&self.host).is_some(),
            [_, namespace] => namespace == around.namespace && around.service(&self.host).is_some(),
            [_, _, "svc", ..] => true,
            _ => false,
        }
    }

    /// A Service where the name can be one; anything with a real domain is a host.
    fn at(&self, protocol: Protocol, around: &Around) -> Option<At> {
        let parts: Vec<&str> = self.host.split('.').collect();
        match parts[..] {
            [name] => Some(At::Service(name.to_owned())),
            [name, namespace, "svc", ..] => Some(At::Service(format!("{name}.{namespace}"))),
            // `postgres.data` may be a Service of another namespace; a top-level domain of its own is longer.
            [name, namespace] if around.service(name).is_some() || !is_domain(namespace) => {
                Some(At::Service(format!("{name}.{namespace}")))
            }
            _ => Some(At::Host(self.host.clone(), self.port.or(usual_port(protocol, &self.scheme))?)),
        }
    }
}

/// Whether it was told by more than an open port: nobody names a store or a collector but to call it.
fn is_read(protocol: Protocol) -> bool {
    matches!(protocol, Protocol::Postgres | Protocol::Redis | Protocol::Otlp)
}

/// A name as DNS has it that begins with a letter: neither a time of day nor what is left of something else.
fn is_host(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c))
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
