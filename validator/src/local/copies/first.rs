//! The first copies: started, and waited for until they are ready.

use std::time::Duration;

use tokio::time::timeout;

use super::super::said::last_lines;
use super::{Copies, crashes};
use crate::failure::Failure;
use crate::steer::PodTable;

impl Copies {
    /// Starts as many as there should be, and waits until they are ready: the first one alone, since what one of them sets
    /// up in an empty database is set up once.
    ///
    /// # Errors
    /// Exit 3 with what one has said last that ends again and again, or is not ready by the progress deadline.
    pub(in crate::local) async fn begin(&self) -> Result<(), Failure> {
        self.add()?;
        self.all_ready().await?;
        for _ in 1..self.settings.local.replicas {
            self.add()?;
        }
        self.all_ready().await
    }

    async fn all_ready(&self) -> Result<(), Failure> {
        let within = Duration::from_secs_f64(self.settings.local.progress_deadline.0);
        let mut table = self.record.table();
        let settled = |table: &PodTable| table.values().any(crashes) || table.values().all(|copy| copy.ready);
        let is_in_time = timeout(within, table.wait_for(settled)).await.is_ok();
        let copies = table.borrow().clone();
        if let Some((name, _)) = copies.iter().find(|(_, copy)| crashes(copy)) {
            return Err(self.crashed(name));
        }
        let late = copies.iter().find(|(_, copy)| !copy.ready).filter(|_| !is_in_time);
        late.map_or(Ok(()), |(name, _)| Err(self.late(name, within)))
    }

    fn crashed(&self, name: &str) -> Failure {
        let code = self.record.last_end(name).map_or(-1, |end| end.code);
        let log = self.output(name);
        Failure::environment(format!(
            "copy {name} ends again and again, the last time with {code}; it said last: {}",
            last_lines(&log)
        ))
        .hint(format!(
            "it has to serve at the port in {}; all that it said: {}",
            self.settings.local.port,
            log.display()
        ))
    }

    fn late(&self, name: &str, within: Duration) -> Failure {
        let local = &self.settings.local;
        let at_management = local.readiness.as_ref().is_some_and(|probe| probe.management);
        let port = if at_management { &local.management_port } else { &local.port };
        Failure::environment(format!(
            "copy {name} is not ready within {} s (spec.local.progressDeadline); it said last: {}",
            within.as_secs(),
            last_lines(&self.output(name))
        ))
        .hint(format!(
            "its readiness probe is spec.local.readiness (GET /ready when absent), asked at the port in {port}"
        ))
    }
}
