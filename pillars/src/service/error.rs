use std::io;

use crate::{Invalid, shutdown, telemetry};

/// Why a service cannot start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A port cannot be had.
    #[error("{setting}: cannot listen on {port}: {source}")]
    Listen {
        /// The setting, as its setter is called.
        setting: &'static str,
        /// Its value.
        port: u16,
        /// What the system says.
        source: io::Error,
    },
    /// A setting of a pillar cannot be used.
    #[error(transparent)]
    Config(#[from] Invalid),
    /// Traces or logs cannot start.
    #[error(transparent)]
    Telemetry(#[from] telemetry::Error),
    /// The shutdown clock cannot run.
    #[error(transparent)]
    Shutdown(#[from] shutdown::Error),
    /// The application could not be put together.
    #[error("{0}")]
    Application(Box<dyn std::error::Error + Send + Sync>),
    /// A thread or a runtime cannot be had.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}
