use std::io;
use std::process::ExitCode;

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use http::StatusCode;
use serde::Deserialize;
use sqlx::PgPool;

use golive_service::config::Settings;
use golive_service::users::{Schema, User};

use super::Ended;

#[derive(Deserialize)]
struct Draft {
    name: String,
    email: String,
}

type Answer<T> = Result<T, (StatusCode, String)>;

/// Serves users as a service does that nobody has prepared for production.
///
/// Not even tokio's signal streams are made: without a handler the kernel ignores SIGTERM for PID 1, so in a
/// container this process is ended by SIGKILL only.
pub(crate) fn run(settings: &mut Settings) -> Ended {
    tokio::runtime::Runtime::new()?.block_on(serve(settings))?;
    Ok(ExitCode::SUCCESS)
}

async fn serve(settings: &Settings) -> io::Result<()> {
    let mut migrated = Schema::applied(&settings.database, settings.config.seed_users).start();
    migrated.wait_for(|done| *done).await.map_err(io::Error::other)?;
    let pool = PgPool::connect_lazy_with(settings.database.clone());
    let app = Router::new()
        .route("/api/users", get(list).post(create))
        .route("/api/users/{id}", get(find))
        .with_state(pool);
    let listener = tokio::net::TcpListener::bind(("0.0.0.0", settings.config.service.port)).await?;
    axum::serve(listener, app).await
}

async fn find(State(pool): State<PgPool>, Path(id): Path<i64>) -> Answer<Json<User>> {
    let query = sqlx::query_as("SELECT id, name, email FROM users WHERE id = $1").bind(id);
    let user = query.fetch_optional(&pool).await.map_err(failed)?;
    user.map(Json).ok_or((StatusCode::NOT_FOUND, "not found".to_owned()))
}

async fn list(State(pool): State<PgPool>) -> Answer<Json<Vec<User>>> {
    let query = sqlx::query_as("SELECT id, name, email FROM users ORDER BY id LIMIT 100");
    query.fetch_all(&pool).await.map(Json).map_err(failed)
}

async fn create(State(pool): State<PgPool>, Json(draft): Json<Draft>) -> Answer<(StatusCode, Json<User>)> {
    let query = sqlx::query_as("INSERT INTO users (name, email) VALUES ($1, $2) RETURNING id, name, email");
    let user = query.bind(draft.name).bind(draft.email).fetch_one(&pool).await.map_err(failed)?;
    Ok((StatusCode::CREATED, Json(user)))
}

#[expect(clippy::needless_pass_by_value, reason = "the shape that map_err takes")]
fn failed(error: sqlx::Error) -> (StatusCode, String) {
    (StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
}
