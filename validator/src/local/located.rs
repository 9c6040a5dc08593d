//! Where a dependency is, as a variable says it, and the same text leading somewhere else.

use std::net::SocketAddr;

use crate::middle::HostPort;

/// A URL or `HOST:PORT`, taken apart at its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Located {
    /// Where it leads.
    pub(super) upstream: HostPort,
    /// What stands before the host: scheme, user and password.
    before: String,
    /// What stands behind the port: path, query and fragment.
    after: String,
}

impl Located {
    /// Reads the value of a variable.
    ///
    /// # Errors
    /// Why it cannot be led elsewhere; never with the value, which may hold a password.
    pub(super) fn parse(value: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = value.split_once("://") else {
            let upstream = value.parse().map_err(|_| "expected a URL or HOST:PORT".to_owned())?;
            return Ok(Self { upstream, before: String::new(), after: String::new() });
        };
        // RFC 3986, 3.2: the authority ends with the first of these, and its user ends with the last `@`.
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, after) = rest.split_at(end);
        let (user, place) = match authority.rsplit_once('@') {
            Some((user, place)) => (format!("{user}@"), place),
            None => (String::new(), authority),
        };
        if place.contains(',') {
            return Err("it names several hosts; name the one that the service is to use here".to_owned());
        }
        if elsewhere(after) {
            return Err("its query names another host; put host and port before the path".to_owned());
        }
        if verified(scheme, after) {
            return Err(
                "the certificate is verified for the host, and here the host is another; use it without TLS"
                    .to_owned(),
            );
        }
        let upstream = host_port(scheme, place)?;
        Ok(Self { upstream, before: format!("{scheme}://{user}"), after: after.to_owned() })
    }

    /// The same text, leading to this address.
    pub(super) fn led_to(&self, address: SocketAddr) -> String {
        format!("{}{address}{}", self.before, self.after)
    }
}

/// What libpq reads in a query in place of what stands before it.
fn elsewhere(after: &str) -> bool {
    query(after)
        .split('&')
        .any(|pair| ["host=", "hostaddr=", "port="].iter().any(|name| pair.starts_with(name)))
}

/// Whether a client will not believe that an agent is the host that it was told.
fn verified(scheme: &str, after: &str) -> bool {
    let scheme = scheme.split('+').next().unwrap_or_default();
    matches!(scheme, "https" | "rediss" | "amqps") || query(after).contains("verify-full")
}

fn query(after: &str) -> &str {
    after.split('#').next().unwrap_or_default().split_once('?').map_or("", |(_, query)| query)
}

fn host_port(scheme: &str, place: &str) -> Result<HostPort, String> {
    let numbered = place.rsplit_once(':').is_some_and(|(_, port)| !port.ends_with(']'));
    let text = match (numbered, usual_port(scheme)) {
        (true, _) => place.to_owned(),
        (false, Some(port)) => format!("{place}:{port}"),
        (false, None) => return Err(format!("its port is missing, and that of {scheme}:// is not known")),
    };
    text.parse().map_err(|_| "no HOST:PORT in it".to_owned())
}

/// The port that stands for none.
fn usual_port(scheme: &str) -> Option<u16> {
    // `postgresql+asyncpg` is how SQLAlchemy names a driver.
    match scheme.split('+').next().unwrap_or_default() {
        "postgres" | "postgresql" => Some(5432),
        "redis" => Some(6379),
        "http" => Some(80),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::Located;

    fn led(value: &str) -> String {
        Located::parse(value).unwrap().led_to("127.0.0.1:9".parse().unwrap())
    }

    #[test]
    fn user_password_path_and_query_stay_as_they_are() {
        for (value, wanted) in [
            ("postgres://u:p@db/users", "postgres://u:p@127.0.0.1:9/users"),
            ("postgresql+asyncpg://u:p%40@db:6/a?x=@b/c", "postgresql+asyncpg://u:p%40@127.0.0.1:9/a?x=@b/c"),
            ("postgres://u:p@ss@db:5432", "postgres://u:p@ss@127.0.0.1:9"),
            ("redis://:secret@[::1]:6379/0", "redis://:secret@127.0.0.1:9/0"),
            ("redis://[::1]/0", "redis://127.0.0.1:9/0"),
            ("http://collector:4318/v1/traces#f", "http://127.0.0.1:9/v1/traces#f"),
            ("http://collector?a=b", "http://127.0.0.1:9?a=b"),
            ("cache:6379", "127.0.0.1:9"),
        ] {
            assert_eq!(led(value), wanted);
        }
    }

    #[test]
    fn where_it_leads_is_known_also_without_a_port() {
        let upstream = |value: &str| Located::parse(value).unwrap().upstream;
        assert_eq!(upstream("postgres://u@db/x"), "db:5432".parse().unwrap());
        assert_eq!(upstream("redis://cache"), "cache:6379".parse().unwrap());
        assert_eq!(upstream("http://[::1]"), "[::1]:80".parse().unwrap());
    }

    #[test]
    fn what_cannot_be_led_is_refused_without_telling_the_value() {
        for (value, told) in [
            ("postgres://u:s3cret@a:1,b:2/x", "several hosts"),
            ("postgres://u:s3cret@/x?host=/run", "another host"),
            ("mysql://u:s3cret@db/x", "port is missing"),
            ("postgres://u:s3cret@:5432/x", "no HOST:PORT"),
            ("s3cret", "expected a URL"),
            ("rediss://:s3cret@cache", "certificate"),
            ("https://u:s3cret@mail/v1", "certificate"),
            ("postgres://u:s3cret@db/x?sslmode=verify-full", "certificate"),
        ] {
            let error = Located::parse(value).unwrap_err();
            assert!(error.contains(told) && !error.contains("s3cret"), "{error}");
        }
    }
}
