//! What an agent understands of each protocol, one value per connection and direction.

use super::export::Export;
use super::http::{Requests, Responses};
use super::postgres::{Backend, Frontend};
use super::redis::{Commands, Replies};
use super::wire::{Head, Wire};
use crate::config::Protocol;
use crate::evidence::Fault;

/// The client's side of one connection.
pub(super) enum Asking {
    Postgres(Frontend),
    Redis(Commands),
    Http(Requests),
    /// Only bytes.
    Tcp,
}

/// The server's side of one connection.
pub(super) enum Answering {
    Postgres(Backend),
    Redis(Replies),
    Http(Responses),
    /// Only bytes.
    Tcp,
}

impl Asking {
    pub(super) fn new(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Postgres => Self::Postgres(Frontend::default()),
            Protocol::Redis => Self::Redis(Commands::default()),
            Protocol::Otlp | Protocol::Http => Self::Http(Requests::default()),
            Protocol::Tcp => Self::Tcp,
        }
    }

    /// What stands at the begin of the client's bytes.
    pub(super) fn head(&mut self, bytes: &[u8], wire: &Wire) -> Head {
        match self {
            Self::Postgres(frontend) => frontend.head(bytes, wire),
            Self::Redis(commands) => commands.head(bytes, wire),
            Self::Http(requests) => requests.head(bytes, wire),
            Self::Tcp => Head::Stream,
        }
    }

    /// What is still to come of the call that was just read is not to be passed on: something else was sent.
    pub(super) fn drop_rest(&mut self) {
        if let Self::Postgres(frontend) = self {
            frontend.drop_rest();
        }
    }

    /// Exports of spans that have come whole since the last time.
    pub(super) fn exports(&mut self) -> Vec<Export> {
        match self {
            Self::Http(requests) => std::mem::take(&mut requests.exports),
            Self::Postgres(_) | Self::Redis(_) | Self::Tcp => Vec::new(),
        }
    }
}

impl Answering {
    pub(super) fn new(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Postgres => Self::Postgres(Backend::default()),
            Protocol::Redis => Self::Redis(Replies::default()),
            Protocol::Otlp | Protocol::Http => Self::Http(Responses::default()),
            Protocol::Tcp => Self::Tcp,
        }
    }

    /// Looks at bytes of the server that are about to be passed on; gives what is to be passed in their place, if
    /// it is something else.
    pub(super) fn read(&mut self, bytes: &[u8], wire: &Wire) -> Option<Vec<u8>> {
        match self {
            Self::Postgres(backend) => return backend.read(bytes, wire),
            Self::Redis(replies) => replies.read(bytes, wire),
            Self::Http(responses) => responses.read(bytes, wire),
            Self::Tcp => {}
        }
        None
    }
}

/// Why an agent of this protocol cannot do this.
pub(super) fn cannot(protocol: Protocol, fault: &Fault) -> Option<String> {
    let can = match fault {
        Fault::Stall | Fault::Refuse | Fault::Reset | Fault::Silence => true,
        Fault::Hang | Fault::Hold { .. } | Fault::Trial { .. } => {
            !matches!(protocol, Protocol::Otlp | Protocol::Tcp)
        }
        Fault::Miss => protocol == Protocol::Redis,
        Fault::Fail { sqlstate } => protocol == Protocol::Postgres && sqlstate.len() == 5,
    };
    (!can).then(|| format!("fault {}: not possible with protocol {}", fault.name(), protocol.name()))
}
