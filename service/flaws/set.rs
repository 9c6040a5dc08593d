//! What is set wrongly.

use std::time::Duration;

use golive_pillars::health::Need;
use golive_service::app;
use golive_service::config::Settings;

use super::Ended;

/// How long sqlx waits for a connection where nobody sets it.
const SQLX_DEFAULT: Duration = Duration::from_secs(30);
const NEVER: Duration = Duration::from_hours(1);

/// The listener closes at the signal, while others still send new connections.
pub(crate) fn deaf(settings: &mut Settings) -> Ended {
    settings.config.service.shutdown.shutdown_lameduck = Duration::ZERO;
    app::run(settings)
}

/// Readiness heeds Postgres alone: Redis, which it is to require, is optional.
pub(crate) fn half_ready(settings: &mut Settings) -> Ended {
    settings.config.readiness_redis = Need::Optional;
    app::run(settings)
}

/// The deadline of a call stands around the breaker: what hangs is cut in time, and the breaker never hears of it.
pub(crate) fn late_deadline(settings: &mut Settings) -> Ended {
    let breaker = &mut settings.config.breaker.args;
    settings.answer_within = Some(breaker.deadline);
    (breaker.deadline, breaker.slow_after) = (NEVER, Some(NEVER));
    // Whoever forgets the deadline forgets this one too; below it, its time-outs would tell the breaker.
    settings.config.database.database_acquire_timeout = SQLX_DEFAULT;
    app::run(settings)
}
