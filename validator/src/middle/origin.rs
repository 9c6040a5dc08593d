//! Where a connection comes from, as far as an agent can tell.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What is all that tells the pods of a target apart.
#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq, PartialOrd, Ord)]
#[serde(try_from = "String", into = "String")]
pub enum Origin {
    /// Its source address: in a cluster every pod has its own.
    Address(IpAddr),
    /// The port of the agent that it came to: on one machine all share an address, and each is led to its own port.
    Listener(u16),
}

/// Before the port, in JSON.
const LISTENER: &str = "listener:";

impl From<IpAddr> for Origin {
    fn from(address: IpAddr) -> Self {
        Self::Address(address.to_canonical())
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Listener(port) => write!(f, "{LISTENER}{port}"),
        }
    }
}

impl FromStr for Origin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = match text.strip_prefix(LISTENER) {
            Some(port) => port.parse().ok().map(Self::Listener),
            None => text.parse().ok().map(Self::Address),
        };
        parsed.ok_or_else(|| format!("`{text}`: expected an address or {LISTENER}PORT"))
    }
}

impl TryFrom<String> for Origin {
    type Error = String;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.to_string()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::IpAddr;

    use super::Origin;

    #[test]
    fn a_list_of_targets_reads_back_what_it_wrote() {
        let address = Origin::from("10.0.0.7".parse::<IpAddr>().unwrap());
        let targets = BTreeMap::from([(address, "a"), (Origin::Listener(7), "b")]);
        let text = serde_json::to_string(&targets).unwrap();
        assert_eq!(text, r#"{"10.0.0.7":"a","listener:7":"b"}"#);
        assert_eq!(serde_json::from_str::<BTreeMap<Origin, &str>>(&text).unwrap(), targets);
        assert!("listener:x".parse::<Origin>().is_err());
    }
}
