//! An address that the environment names: what is spoken there, and where it is.

use serde_json::Value;

use super::{Around, At, ports};
use crate::config::Protocol;

/// Ends of names whose value is an address.
const ADDRESSES: [&str; 10] =
    ["_ADDR", "_ADDRESS", "_HOST", "_HOSTS", "_ENDPOINT", "_SERVER", "_SERVERS", "_BROKERS", "_URL", "_URI"];

/// What an address says.
pub(super) struct Address {
    scheme: String,
    pub(super) host: String,
    port: Option<u16>,
    is_encrypted: bool,
}

impl Address {
    /// Of a URL.
    pub(super) fn of_url(value: &str) -> Option<Self> {
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
    pub(super) fn of_host(name: &str, value: &str, variables: &[&Value], around: &Around) -> Option<Self> {
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
    pub(super) fn protocol(&self, name: &str, around: &Around) -> Option<(Protocol, Option<String>)> {
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
    pub(super) fn is_store(&self) -> bool {
        !matches!(self.scheme.as_str(), "" | "http" | "https" | "grpc" | "grpcs" | "tcp")
    }

    /// Whether it is a Service, as far as one can see from here.
    pub(super) fn is_service(&self, around: &Around) -> bool {
        let parts: Vec<&str> = self.host.split('.').collect();
        match parts[..] {
            [_] => around.service(&self.host).is_some(),
            [_, namespace] => namespace == around.namespace && around.service(&self.host).is_some(),
            [_, _, "svc", ..] => true,
            _ => false,
        }
    }

    /// A Service where the name can be one; anything with a real domain is a host.
    pub(super) fn at(&self, protocol: Protocol, around: &Around) -> Option<At> {
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
