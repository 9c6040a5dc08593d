use super::{Builder, Service};
use crate::flags::port;
use crate::telemetry::logs::EnvFilter;
use crate::{Invalid, health, shutdown, telemetry};

/// Settings of a service: ports, and those of its pillars.
#[derive(Clone, Debug, clap::Args)]
#[group(skip)]
#[non_exhaustive]
pub struct Args {
    /// Port for users
    #[arg(long, env = "PORT", default_value = "8080", value_parser = port::parse)]
    pub port: u16,
    /// Port for probes and metrics
    #[arg(long, env = "MANAGEMENT_PORT", default_value = "8081", value_parser = port::parse)]
    pub management_port: u16,
    /// Whether /metrics is served
    #[arg(long, env = "METRICS", default_value_t = true, action = clap::ArgAction::Set)]
    pub metrics: bool,
    /// Whether circuits can be forced open, closed or to metrics only at /breakers of the management port, which asks
    /// nobody who they are; for drills
    #[arg(long, env = "DRILLS", default_value_t = false, action = clap::ArgAction::Set)]
    pub drills: bool,
    /// Settings of the health pillar
    #[command(flatten)]
    pub health: health::Args,
    /// Settings of the shutdown pillar
    #[command(flatten)]
    pub shutdown: shutdown::Args,
    /// Settings of the telemetry pillar
    #[command(flatten)]
    pub telemetry: telemetry::Args,
}

impl Args {
    /// The same as a [`Builder`], for a program with this name and version where nothing else is said. Fails if what is
    /// to be logged cannot be read.
    pub fn builder(&self, name: &str, version: &str) -> Result<Builder, Invalid> {
        let filter = self.telemetry.log_filter();
        let read = EnvFilter::try_new(filter);
        let expected = "a filter such as info,golive_pillars=debug";
        let filter = read.map_err(|_| Invalid::new("log_level", filter, expected))?;
        Ok(Service::builder(self.telemetry.config(name, version))
            .health(self.health.config())
            .shutdown(self.shutdown.config())
            .logs(self.telemetry.log_format, filter)
            .port(self.port)
            .management_port(self.management_port)
            .metrics(self.metrics)
            .drills(self.drills))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::flags::parsed;

    #[test]
    fn the_defaults_of_flags_are_those_of_the_builder() {
        let args = parsed::<Args>(&[]).unwrap();
        let switches = |builder: &Builder| {
            (builder.port, builder.management_port, builder.metrics, builder.drills, builder.log_format)
        };
        let pillars = |builder: Builder| (builder.log_filter.to_string(), builder.health, builder.shutdown);
        let (of_flags, of_code) =
            (args.builder("test", "1").unwrap(), Service::builder(args.telemetry.config("test", "1")));
        assert_eq!(switches(&of_flags), switches(&of_code));
        assert_eq!(pillars(of_flags), pillars(of_code));
    }
}
