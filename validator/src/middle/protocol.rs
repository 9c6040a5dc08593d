//! What an agent understands of each protocol, one value per connection and direction.

use super::postgres::{Backend, Frontend};
use super::redis::{Commands, Replies};
use super::wire::{Head, Wire};
use crate::config::Protocol;
use crate::evidence::{Failure, Fault};

/// The client's side of one connection.
pub(super) enum Asking {
    Postgres(Frontend),
    Redis(Commands),
    /// Not followed here: a proxy stands behind, or nothing is understood.
    Bytes,
}

/// The server's side of one connection.
pub(super) enum Answering {
    Postgres(Backend),
    Redis(Replies),
    /// The same.
    Bytes,
}

impl Asking {
    pub(super) fn new(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Postgres => Self::Postgres(Frontend::default()),
            Protocol::Redis => Self::Redis(Commands::default()),
            Protocol::Otlp | Protocol::Http | Protocol::Tcp => Self::Bytes,
        }
    }

    /// What stands at the begin of the client's bytes.
    pub(super) fn head(&mut self, bytes: &[u8], wire: &Wire) -> Head {
        match self {
            Self::Postgres(frontend) => frontend.head(bytes, wire),
            Self::Redis(commands) => commands.head(bytes),
            Self::Bytes => Head::Pass(bytes.len()),
        }
    }

    /// What is still to come of the call that was just read is not to be passed on: something else was sent.
    pub(super) fn drop_rest(&mut self) {
        match self {
            Self::Postgres(frontend) => frontend.drop_rest(),
            Self::Redis(commands) => commands.drop_rest(),
            Self::Bytes => {}
        }
    }
}

impl Answering {
    pub(super) fn new(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Postgres => Self::Postgres(Backend::default()),
            Protocol::Redis => Self::Redis(Replies::default()),
            Protocol::Otlp | Protocol::Http | Protocol::Tcp => Self::Bytes,
        }
    }

    /// Looks at bytes of the server that are about to be passed on; gives what is to be passed in their place, if
    /// it is something else.
    pub(super) fn read(&mut self, bytes: &[u8], wire: &Wire) -> Option<Vec<u8>> {
        match self {
            Self::Postgres(backend) => backend.read(bytes, wire),
            Self::Redis(replies) => replies.read(bytes, wire),
            Self::Bytes => None,
        }
    }
}

/// Why an agent of this protocol cannot do this.
pub(super) fn cannot(protocol: Protocol, fault: &Fault) -> Option<String> {
    let can = match fault {
        Fault::Stall | Fault::Refuse | Fault::Reset | Fault::Silence => true,
        Fault::Hang | Fault::Hold { .. } | Fault::Trial { .. } | Fault::Slow { .. } => {
            protocol != Protocol::Tcp
        }
        Fault::Miss => protocol == Protocol::Redis,
        Fault::Fail { with, share_percent } => *share_percent <= 100 && can_say(protocol, with),
    };
    let why = if protocol == Protocol::Tcp { ": of its connections only the bytes are known" } else { "" };
    (!can).then(|| format!("fault {}: not possible with protocol {}{why}", fault.name(), protocol.name()))
}

fn can_say(protocol: Protocol, failure: &Failure) -> bool {
    let http = matches!(protocol, Protocol::Http | Protocol::Otlp);
    match failure {
        Failure::Sqlstate(code) | Failure::Startup(code) => {
            let is_code = code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
            protocol == Protocol::Postgres && is_code
        }
        Failure::FailOver => protocol == Protocol::Postgres,
        Failure::ReadOnly => protocol == Protocol::Redis,
        Failure::Status(status) => http && (400..600).contains(status),
        Failure::Grpc(code) => http && (1..=16).contains(code),
    }
}
