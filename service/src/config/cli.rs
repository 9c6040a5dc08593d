use http::Uri;

use super::flags::Config;

/// A users service that is ready for production: tracing, health, graceful shutdown, circuit breaker.
#[derive(Debug, clap::Parser)]
#[command(name = "users", version, after_help = EXAMPLES)]
pub struct Cli {
    /// What to do instead of serving
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to serve
    #[command(flatten)]
    pub config: Config,
}

const EXAMPLES: &str = "Examples:
  DATABASE_URL=postgres://app:secret@db/users REDIS_URL=redis://cache users
  users --readiness-redis optional --log-format text
  users probe http://users:8080/ready

Exit codes:
  0  finished after SIGTERM or SIGINT; for `probe`, a 2xx answer; for `migrate`, done
  1  could not start or did not finish in time; for `probe`, anything else
  2  configuration";

/// What to do instead of serving.
#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Ask a URL once, for at most 3 s, and exit 0 if the answer is 2xx, else 1
    Probe {
        /// Plain HTTP, as in http://users:8080/ready
        url: Uri,
    },
    /// Bring the database to the schema of this build, insert demo users if there are none (SEED_USERS), and exit; for a
    /// Job, where the service itself runs with MIGRATE=false
    Migrate,
}
