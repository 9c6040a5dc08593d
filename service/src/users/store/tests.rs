use std::str::FromStr as _;

use clap::Parser as _;
use sqlx::postgres::PgConnectOptions;

use super::*;
use crate::breaker;
use crate::telemetry::{self, Telemetry};
use crate::users::DatabaseArgs;

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    telemetry: telemetry::Args,
}

/// Every wrapper on the way moves it: breaker, deadline, handler, layers.
#[tokio::test]
async fn the_future_of_a_read_is_small() {
    let cli = Cli::parse_from(["users"]);
    let telemetry = Telemetry::start(&cli.telemetry, &telemetry::Metrics::default()).unwrap();
    let options = PgConnectOptions::from_str("postgres://nobody@127.0.0.1:9/none").unwrap();
    let breaker = Breaker::new("test", &breaker::Args::default(), &breaker::Metrics::default());
    let postgres = Postgres::new(&options, &cli.database, telemetry);
    let users = Users::new(postgres, None, breaker, Metrics::default());
    let size = size_of_val(&users.find(1));
    assert!(size < 3_000, "{size} bytes");
}
