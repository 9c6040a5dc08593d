use std::str::FromStr as _;

use clap::Parser as _;
use sqlx::postgres::PgConnectOptions;

use super::*;
use crate::users::DatabaseArgs;
use golive_pillars::breaker;
use golive_pillars::telemetry::{self, Telemetry};

#[derive(clap::Parser)]
struct Cli {
    #[command(flatten)]
    database: DatabaseArgs,
}

/// Every wrapper on the way moves it: breaker, deadline, handler, layers.
#[tokio::test]
async fn the_future_of_a_read_is_small() {
    let cli = Cli::parse_from(["users"]);
    let telemetry = Telemetry::start(&telemetry::Config::new("users", "1")).unwrap();
    let options = PgConnectOptions::from_str("postgres://nobody@127.0.0.1:9/none").unwrap();
    let breaker = Breaker::new("test", breaker::Config::default()).unwrap();
    let postgres = Postgres::new(&options, &cli.database, telemetry);
    let users = Users::new(postgres, None, breaker, Metrics::default());
    let size = size_of_val(&users.find(1));
    assert!(size < 3_600, "{size} bytes");
}
