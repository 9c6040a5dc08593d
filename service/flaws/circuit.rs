//! A circuit that is there, and wired wrongly.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use golive_pillars::breaker::{Breaker, Class, Classify, State as CircuitState};
use golive_service::app::{self, Wiring};
use golive_service::config::Settings;
use http::StatusCode;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Ended;

/// How often the circuit is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How many connections are made at once when the circuit closes.
const AT_ONCE: u32 = 40;
/// As long as a statement past the circuit is waited for.
const RECORDED: Duration = Duration::from_secs(1);

/// After the open time the circuit is simply closed: everybody is let in at once.
pub(crate) fn everyone(settings: &mut Settings) -> Ended {
    let open_for = settings.config.breaker.args.open_for;
    app::run_with(settings, |wiring| {
        tokio::spawn(close_when_due(wiring.breaker.clone(), open_for));
        wiring
    })
}

async fn close_when_due(breaker: Breaker, open_for: Duration) {
    loop {
        sleep(LOOK).await;
        if breaker.state() == CircuitState::Open {
            // Before it would let a trial through by itself.
            sleep(open_for.saturating_sub(LOOK * 4)).await;
            breaker.force(CircuitState::Closed);
        }
    }
}

/// When the circuit closes, connections are made for all that may have waited, at once.
pub(crate) fn stampede(settings: &mut Settings) -> Ended {
    let database = settings.database.clone();
    app::run_with(settings, |wiring| {
        tokio::spawn(connect_when_closed(wiring.breaker.clone(), database));
        wiring
    })
}

async fn connect_when_closed(breaker: Breaker, database: PgConnectOptions) {
    let mut was = breaker.state();
    loop {
        sleep(LOOK).await;
        let is = breaker.state();
        if is == CircuitState::Closed && was != is {
            all_at_once(&database).await;
        }
        was = is;
    }
}

async fn all_at_once(database: &PgConnectOptions) {
    let pool = PgPoolOptions::new().max_connections(AT_ONCE).connect_lazy_with(database.clone());
    let mut connecting = JoinSet::new();
    for _ in 0..AT_ONCE {
        let pool = pool.clone();
        connecting.spawn(async move { pool.acquire().await });
    }
    connecting.join_all().await;
}

/// What is not there counts as failed: the circuit opens for those who ask for it.
pub(crate) fn not_found(settings: &mut Settings) -> Ended {
    app::run_with(settings, |wiring| {
        let counted = from_fn_with_state(wiring.breaker.clone(), count);
        Wiring { router: wiring.router.layer(counted), ..wiring }
    })
}

struct Missing;

impl Classify for Missing {
    fn class(&self) -> Class {
        Class::Failure
    }
}

/// Twice, since the call itself has counted as a success.
async fn count(State(breaker): State<Breaker>, request: Request, next: Next) -> Response {
    let response = next.run(request).await;
    if response.status() == StatusCode::NOT_FOUND {
        for _ in 0..2 {
            breaker.call(async { Err::<(), _>(Missing) }).await.ok(); // it is to fail
        }
    }
    response
}

/// Each request is recorded in Postgres, over connections of its own and past the circuit.
pub(crate) fn past(settings: &mut Settings) -> Ended {
    let database = settings.database.clone();
    app::run_with(settings, |wiring| {
        let pool =
            PgPoolOptions::new().max_connections(2).acquire_timeout(RECORDED).connect_lazy_with(database);
        Wiring { router: wiring.router.layer(from_fn_with_state(pool, record)), ..wiring }
    })
}

async fn record(State(pool): State<PgPool>, request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/api/") {
        tokio::spawn(recorded(pool));
    }
    next.run(request).await
}

/// A connection on which no answer came is thrown away, or all of them would wait for the outage to end.
async fn recorded(pool: PgPool) {
    let Ok(mut connection) = pool.acquire().await else { return };
    let statement = sqlx::query("SELECT count(*) FROM users WHERE id = 0").execute(&mut *connection);
    if timeout(RECORDED, statement).await.is_err() {
        drop(connection.detach());
    }
}
