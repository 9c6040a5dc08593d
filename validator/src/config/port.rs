//! A port of a Service, as its manifest writes it.

use std::fmt;

use schemars::JsonSchema;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// The name or the number of a port of the Service.
#[derive(Clone, Debug, Serialize, JsonSchema, PartialEq, Eq)]
#[serde(untagged)]
pub enum PortRef {
    /// Its number.
    Number(u16),
    /// Its name.
    Name(String),
}

impl fmt::Display for PortRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}

impl<'de> Deserialize<'de> for PortRef {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(Written)
    }
}

struct Written;

impl Visitor<'_> for Written {
    type Value = PortRef;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the name or the number of a port of the Service, such as http or 8080")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<PortRef, E> {
        let port = u16::try_from(number).ok().filter(|port| *port > 0);
        port.map(PortRef::Number).ok_or_else(|| E::custom(format!("port {number}: expected 1 to 65535")))
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<PortRef, E> {
        Ok(PortRef::Name(name.to_owned()))
    }
}
