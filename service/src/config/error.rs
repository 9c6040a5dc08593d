use std::borrow::Cow;

use golive_pillars::Invalid;

/// A setting that cannot be used. Says which variable, what was read (a secret is never shown) and what is expected.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// One value is wrong or missing.
    #[error("{variable}: read {read}, expected {expected}")]
    Value {
        /// Name of the environment variable.
        variable: Cow<'static, str>,
        /// What was read, or a description of it.
        read: String,
        /// What would be right.
        expected: String,
    },
}

/// The variable of a setting of a pillar; those of its server have no prefix.
pub(super) fn of_pillar(prefix: &str, invalid: Invalid) -> ConfigError {
    let name = |setting: &str| match setting {
        "idle_timeout" | "max_connections" => setting.to_uppercase(),
        setting => format!("{prefix}_{}", setting.to_uppercase()),
    };
    let expected = match invalid.expected.rsplit_once(' ') {
        Some((text, step)) if text.ends_with("the value of") => format!("{text} {}", name(step)),
        _ => invalid.expected,
    };
    ConfigError::Value { variable: name(invalid.setting).into(), read: invalid.read, expected }
}

pub(super) fn value(
    variable: impl Into<Cow<'static, str>>,
    read: String,
    expected: impl Into<String>,
) -> ConfigError {
    ConfigError::Value { variable: variable.into(), read, expected: expected.into() }
}
