//! Command line of the users service.

use std::process::ExitCode;

use golive_service::{app, start};

fn main() -> ExitCode {
    start::start(|settings| app::run(settings))
}
