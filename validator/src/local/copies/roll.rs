//! The roll: one copy after the other is replaced by one of a new template.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::{Copies, Template, crashes};
use crate::config::Local;
use crate::failure::Failure;
use crate::platform::Roll;
use crate::steer::{PodTable, RollEnd, Stays};

/// How often a roll is looked at.
const PERIOD: Duration = Duration::from_millis(100);

/// A new copy that has been failing for so long will not mend.
const MENDS: Duration = Duration::from_mins(1);

impl Copies {
    /// Replaces every copy by one of a new template: one more than there should be at a time, never one less.
    async fn roll(
        &self,
        led: bool,
        deadline: Instant,
        mut progress: impl FnMut(usize, usize),
    ) -> Result<RollEnd, Failure> {
        let old: Vec<String> = self.record.table().borrow().keys().cloned().collect();
        let hash = format!("t{}", self.number.fetch_add(1, Ordering::Relaxed));
        self.lives().template = Template { hash: hash.clone(), led };
        self.record.template(&hash);
        let mut replaced: Vec<String> = self.lives().leave.keys().cloned().collect();
        while !replaced.is_empty() {
            let new = self.add()?;
            let leaving = match self.spare(&new, &replaced, deadline).await {
                Ok(leaving) => leaving,
                Err(end) => return Ok(end),
            };
            self.leave(&leaving);
            replaced.retain(|name| *name != leaving);
            progress(old.len() - self.left(&old), old.len());
        }
        while self.left(&old) > 0 {
            if Instant::now() >= deadline {
                let left = format!("{} of {} old pods are left at the deadline", self.left(&old), old.len());
                return Ok(RollEnd::OutOfTime(left));
            }
            sleep(PERIOD).await;
            progress(old.len() - self.left(&old), old.len());
        }
        Ok(RollEnd::Complete)
    }

    fn left(&self, old: &[String]) -> usize {
        let table = self.record.table();
        let there: BTreeSet<String> = table.borrow().keys().cloned().collect();
        old.iter().filter(|name| there.contains(*name)).count()
    }

    /// Waits until a new copy has been ready for long enough and one of the old ones can be spared: which one, or why the
    /// roll ends if it does not come to that.
    async fn spare(&self, name: &str, old: &[String], deadline: Instant) -> Result<String, RollEnd> {
        let Local { min_ready, progress_deadline, .. } = &self.settings.local;
        let (min_ready, table) = (Duration::from_secs_f64(min_ready.0), self.record.table());
        let patience = Instant::now() + Duration::from_secs_f64(progress_deadline.0);
        let (mut ready, mut failing): (Option<Instant>, Option<Instant>) = (None, None);
        loop {
            let (now, spared) = {
                let table = table.borrow();
                let wanted = self.settings.local.replicas as usize;
                (table.get(name).cloned().unwrap_or_default(), spared(&table, old, wanted))
            };
            ready = now.ready.then(|| ready.unwrap_or_else(Instant::now));
            failing =
                (ready.is_none() && crashes(&now)).then(|| failing.unwrap_or_else(Instant::now)).or(failing);
            failing = failing.filter(|_| ready.is_none());
            if let Some(spared) = spared.filter(|_| ready.is_some_and(|since| since.elapsed() >= min_ready)) {
                return Ok(spared);
            }
            if failing.is_some_and(|since| since.elapsed() >= MENDS) {
                return Err(RollEnd::Stuck(format!(
                    "new pod {name}: it ends again and again; see {}",
                    self.output(name).display()
                )));
            }
            if Instant::now() >= patience {
                let what = if ready.is_none() { "is not available" } else { "would be one of too few" };
                return Err(RollEnd::Stuck(format!("ProgressDeadlineExceeded: new pod {name} {what}")));
            }
            if Instant::now() >= deadline {
                return Err(RollEnd::OutOfTime(format!("new pod {name} is not available at the deadline")));
            }
            sleep(PERIOD).await;
        }
    }
}

/// Which old copy may go so that no fewer than wanted are ready: one that is not ready goes first, as the deployment
/// controller cleans up (`cleanupUnhealthyReplicas`).
fn spared(table: &PodTable, old: &[String], wanted: usize) -> Option<String> {
    let is_ready = |name: &String| table.get(name).is_some_and(|copy| copy.ready && !copy.leaving);
    let ready = table.keys().filter(|name| is_ready(name)).count();
    let sick = old.iter().find(|name| !is_ready(name)).filter(|_| ready >= wanted);
    sick.or_else(|| old.first().filter(|_| ready > wanted)).cloned()
}

impl Roll for Arc<Copies> {
    async fn roll_in(
        &self,
        deadline: Instant,
        progress: impl FnMut(usize, usize),
    ) -> Result<RollEnd, Failure> {
        self.roll(true, deadline, progress).await
    }

    /// The candidate and what was there before are the same command.
    async fn roll_out(
        &self,
        _stays: Stays,
        deadline: Instant,
        progress: impl FnMut(usize, usize),
    ) -> Result<RollEnd, Failure> {
        self.roll(false, deadline, progress).await
    }

    /// Nobody else knows of the copies.
    async fn changed(&self) -> Failure {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::steer::PodBrief;

    fn table(copies: &[(&str, bool, bool)]) -> PodTable {
        let brief = |ready, leaving| PodBrief { leaving, ready, ..PodBrief::default() };
        copies.iter().map(|(name, ready, leaving)| ((*name).to_owned(), brief(*ready, *leaving))).collect()
    }

    #[test]
    fn an_old_copy_goes_only_when_enough_others_are_ready_and_a_sick_one_before_them() {
        let old = ["a", "b", "c"].map(str::to_owned);
        let (up, down) = ((true, false), (false, false));
        let with = |new: &[(bool, bool)], a: (bool, bool), b: (bool, bool)| {
            let mut copies = vec![("a", a.0, a.1), ("b", b.0, b.1), ("c", true, false)];
            copies.extend(new.iter().map(|(ready, leaving)| ("new", *ready, *leaving)));
            spared(&table(&copies), &old, 3)
        };
        assert_eq!(with(&[up], up, up).as_deref(), Some("a"));
        assert_eq!(with(&[up], up, down).as_deref(), Some("b"), "nobody is the worse for it");
        assert_eq!(with(&[down], up, up), None);
        assert_eq!(with(&[up], down, down), None, "two are fewer than three");
        assert_eq!(with(&[(true, true)], up, up), None, "it is about to go itself");
    }
}
