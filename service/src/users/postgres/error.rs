use std::borrow::Cow;

use crate::breaker::{Class, Classify};
use crate::telemetry::{ClientSpan, semconv};

/// Why a statement has no result.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct PostgresError(#[from] sqlx::Error);

impl PostgresError {
    /// The code that Postgres gave, if it was Postgres that refused.
    pub fn sqlstate(&self) -> Option<String> {
        self.0.as_database_error()?.code().map(Cow::into_owned)
    }

    /// Whether a unique constraint was violated.
    pub fn is_duplicate(&self) -> bool {
        self.0.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
    }

    pub(super) fn mark(&self, span: &ClientSpan) {
        match self.sqlstate() {
            Some(code) => {
                span.fail(&code);
                span.set(semconv::DB_RESPONSE_STATUS_CODE, code);
            }
            None => span.fail(self.kind()),
        }
    }

    fn kind(&self) -> &'static str {
        match self.0 {
            sqlx::Error::PoolTimedOut => "pool_timeout",
            sqlx::Error::Io(_) => "io",
            sqlx::Error::Tls(_) => "tls",
            sqlx::Error::Protocol(_) => "protocol",
            _ => "_OTHER",
        }
    }
}

impl Classify for PostgresError {
    /// Errors of the caller (constraints, syntax, decoding) are successes of the database: it answered.
    fn class(&self) -> Class {
        match (self.sqlstate(), &self.0) {
            (Some(code), _) if is_outage(&code) => Class::Failure,
            (Some(_), _) => Class::Success,
            (None, sqlx::Error::PoolClosed) => Class::NotCounted,
            (None, sqlx::Error::RowNotFound | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_)) => {
                Class::Success
            }
            (None, _) => Class::Failure,
        }
    }
}

/// Whether a SQLSTATE says that the database cannot work: connection (08), refused identity (28, which only meets us
/// while connecting), unknown database (3D), resources (53), intervention and statement timeout (57), system (58),
/// internal (XX); and writes refused by a server that has become a replica (25006).
fn is_outage(sqlstate: &str) -> bool {
    ["08", "28", "3D", "53", "57", "58", "XX"].iter().any(|class| sqlstate.starts_with(class))
        || sqlstate == "25006"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_and_errors_of_the_caller_are_told_apart() {
        for code in ["08006", "28P01", "3D000", "53300", "57P01", "57014", "58030", "XX000", "25006"] {
            assert!(is_outage(code), "{code}");
        }
        for code in ["23505", "42601", "22P02", "40001", "25P02"] {
            assert!(!is_outage(code), "{code}");
        }
    }

    #[test]
    fn a_missing_row_is_a_working_database() {
        assert_eq!(PostgresError(sqlx::Error::RowNotFound).class(), Class::Success);
        assert_eq!(PostgresError(sqlx::Error::PoolTimedOut).class(), Class::Failure);
        assert_eq!(PostgresError(sqlx::Error::PoolClosed).class(), Class::NotCounted);
    }
}
