//! The command line and the environment of the service: every flag is also a variable.

mod authority;
mod cli;
mod endpoint;
mod error;
mod flags;
mod secret;
mod settings;

pub use cli::{Cli, Command};
pub use error::ConfigError;
pub use flags::{BreakerFlags, Config};
pub use secret::Secret;
pub use settings::Settings;
