use std::borrow::Cow;

use sqlx::postgres::{PgDatabaseError, PgSeverity};

use super::fate::Fate;
use golive_pillars::breaker::{Class, Classify};
use golive_pillars::telemetry::{ClientSpan, semconv};

/// Why a statement has no result.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// Postgres, or the way to it.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
    /// There is no connection, and Postgres, or the way to it, gives none.
    #[error("no connection: {0}")]
    Unconnected(#[source] sqlx::Error),
    /// Postgres answers, but not fast enough for so many calls: all connections were in use.
    #[error("every connection is in use")]
    Saturated,
}

impl PostgresError {
    /// The code that Postgres gave, if it was Postgres that refused.
    pub fn sqlstate(&self) -> Option<Cow<'_, str>> {
        self.database()?.code()
    }

    /// Whether a unique constraint was violated.
    pub fn is_duplicate(&self) -> bool {
        self.database().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
    }

    fn database(&self) -> Option<&dyn sqlx::error::DatabaseError> {
        match self {
            Self::Sql(error) | Self::Unconnected(error) => error.as_database_error(),
            Self::Saturated => None,
        }
    }

    /// Whether the session has ended with it.
    fn is_fatal(&self) -> bool {
        let told = self.database().and_then(|error| error.try_downcast_ref::<PgDatabaseError>());
        told.is_some_and(|error| matches!(error.severity(), PgSeverity::Fatal | PgSeverity::Panic))
    }

    /// What becomes of the connection that it came over.
    pub(super) fn fate(&self) -> Fate {
        match (self.sqlstate(), self) {
            (Some(code), _) if is_outdated(&code) => Fate::Outdated,
            // Not outdated: what is made from now on may be, and is to be told at once, not after a pause.
            (Some(code), _) if ends_sessions(&code) || code.starts_with("08") || self.is_fatal() => {
                Fate::Lost
            }
            (Some(code), _) if code.starts_with("58") || code.starts_with("XX") => Fate::Doubtful,
            (Some(_), _) => Fate::Usable,
            (None, Self::Sql(sqlx::Error::Io(_) | sqlx::Error::Tls(_))) => Fate::Lost,
            (None, _) => Fate::Doubtful,
        }
    }

    pub(super) fn mark(&self, span: &ClientSpan) {
        span.fail(&self.kind());
        if let Some(code) = self.sqlstate() {
            span.set(semconv::DB_RESPONSE_STATUS_CODE, code.into_owned());
        }
    }

    /// The SQLSTATE, or else a short word.
    pub(crate) fn kind(&self) -> Cow<'_, str> {
        self.sqlstate().unwrap_or(Cow::Borrowed(match self {
            Self::Saturated => "pool_saturated",
            Self::Sql(error) | Self::Unconnected(error) => match error {
                sqlx::Error::PoolTimedOut => "pool_timeout",
                sqlx::Error::Io(_) => "io",
                sqlx::Error::Tls(_) => "tls",
                sqlx::Error::Protocol(_) => "protocol",
                _ => "_OTHER",
            },
        }))
    }
}

impl Classify for PostgresError {
    /// Errors of the caller (constraints, syntax, decoding) are successes of the database: it answered. What a
    /// connection says that has become useless tells nothing of the database. Without a connection nothing can be
    /// asked, whatever the reason is.
    fn class(&self) -> Class {
        match (self.sqlstate(), self) {
            (_, Self::Unconnected(_)) => Class::Failure,
            (Some(code), _) if is_outdated(&code) || is_in_the_way(&code) => Class::NotCounted,
            (Some(code), _) if is_outage(&code) || self.is_fatal() => Class::Failure,
            (Some(_), _) => Class::Success,
            (None, Self::Saturated | Self::Sql(sqlx::Error::PoolClosed)) => Class::NotCounted,
            (None, Self::Sql(error)) if is_our_own(error) => Class::Success,
            (None, Self::Sql(_)) => Class::Failure,
        }
    }
}

/// Whether Postgres has answered, and it is we who cannot make anything of it.
fn is_our_own(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::RowNotFound | sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_))
}

/// Whether a SQLSTATE of a statement says that the database cannot work: connection (08), refused identity (28) and
/// unknown database (3D), which a pooler tells in place of an answer, resources (53), intervention and statement timeout
/// (57), system (58), internal (XX).
fn is_outage(sqlstate: &str) -> bool {
    ["08", "28", "3D", "53", "57", "58", "XX"].iter().any(|class| sqlstate.starts_with(class))
}

/// Whether a SQLSTATE says that the session is not what it was, while a new one works: the server is a replica by now
/// (25006), a plan is older than its table (0A000), or a pooler has given us the session of others, which does not know
/// our statement (26000) or knows it already (42P05). Our statements give no other reason for any of them.
fn is_outdated(sqlstate: &str) -> bool {
    matches!(sqlstate, "25006" | "0A000" | "26000" | "42P05")
}

/// Whether a SQLSTATE says that others were in the way of the statement, such as a migration or what is replayed on a
/// replica: a lock was not had in time (55P03), or it was given up for theirs (40001, 40P01), or with its transaction
/// (25P04). It is no mistake of ours, and Postgres works.
fn is_in_the_way(sqlstate: &str) -> bool {
    matches!(sqlstate, "55P03" | "40001" | "40P01" | "25P04")
}

/// Whether a SQLSTATE says that the server ends all sessions: it shuts down (57P01), has crashed (57P02), does not take
/// any yet (57P03), or the database was dropped (57P04).
fn ends_sessions(sqlstate: &str) -> bool {
    matches!(sqlstate, "57P01" | "57P02" | "57P03" | "57P04")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outages_and_errors_of_the_caller_are_told_apart() {
        for code in ["08006", "28P01", "3D000", "53200", "53300", "57P01", "57014", "58030", "XX000"] {
            assert!(is_outage(code), "{code}");
        }
        for code in ["23505", "42601", "22P02", "40001", "25P02", "25006", "0A000", "26000", "42P05"] {
            assert!(!is_outage(code), "{code}");
        }
        for code in ["55P03", "40001", "40P01", "25P04"] {
            assert!(is_in_the_way(code), "{code}");
        }
        assert!(!is_in_the_way("23505"));
    }

    #[test]
    fn a_missing_row_is_a_working_database() {
        let class = |error| PostgresError::Sql(error).class();
        assert_eq!(class(sqlx::Error::RowNotFound), Class::Success);
        assert_eq!(class(sqlx::Error::PoolTimedOut), Class::Failure);
        assert_eq!(class(sqlx::Error::PoolClosed), Class::NotCounted);
    }
}
