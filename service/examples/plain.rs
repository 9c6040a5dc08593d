//! The peer of the benchmarks and of the restart test: the same question to the same table, without any pillar, as
//! the documentation of axum shows it. `DATABASE_URL=postgres://... PORT=8080 cargo run --example plain`

use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use clap::Parser as _;
use golive_service::users::User;
use http::StatusCode;
use sqlx::PgPool;
use sqlx::postgres::PgPoolOptions;
use tokio::signal::unix::{SignalKind, signal};

#[derive(clap::Parser)]
struct Args {
    #[arg(long, env = "DATABASE_URL")]
    database_url: String,
    #[arg(long, env = "PORT", default_value = "8080")]
    port: u16,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    let pool =
        PgPoolOptions::new().min_connections(4).max_connections(10).connect(&args.database_url).await?;
    let app = Router::new().route("/api/users/{id}", get(find)).with_state(pool);
    let listener = tokio::net::TcpListener::bind(("0.0.0.0", args.port)).await?;
    let mut terminate = signal(SignalKind::terminate())?;
    let leave = async move {
        terminate.recv().await;
    };
    axum::serve(listener, app).with_graceful_shutdown(leave).await?;
    Ok(())
}

async fn find(State(pool): State<PgPool>, Path(id): Path<i64>) -> Result<Json<User>, StatusCode> {
    let found = sqlx::query_as("SELECT id, name, email FROM users WHERE id = $1")
        .bind(id)
        .fetch_optional(&pool)
        .await
        .map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    found.map(Json).ok_or(StatusCode::NOT_FOUND)
}
