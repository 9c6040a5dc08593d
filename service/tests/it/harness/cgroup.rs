use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A control group of our own that holds one process and limits its processor time.
pub(crate) struct Cgroup {
    directory: PathBuf,
}

impl Cgroup {
    /// In which a process has its quota of time.
    pub(crate) const PERIOD: Duration = Duration::from_millis(100);

    /// Lets the process have `percent` of one core; `None` where no control group can be made.
    pub(crate) fn throttle(process: u32, percent: u32) -> Option<Self> {
        let period_us = Self::PERIOD.as_micros();
        let quota = (period_us / 100 * u128::from(percent)).to_string();
        let one = |root: &str| {
            let directory = Path::new(root).join(format!("golive-{process}"));
            fs::create_dir(&directory).ok()?;
            let group = Self { directory };
            let limited = if group.directory.join("cpu.cfs_quota_us").exists() {
                group.write("cpu.cfs_period_us", &period_us.to_string())
                    && group.write("cpu.cfs_quota_us", &quota)
            } else {
                group.write("cpu.max", &format!("{quota} {period_us}"))
            };
            (limited && group.write("cgroup.procs", &process.to_string())).then_some(group)
        };
        // Version 1, then version 2.
        ["/sys/fs/cgroup/cpu", "/sys/fs/cgroup/cpu,cpuacct", "/sys/fs/cgroup"].into_iter().find_map(one)
    }

    /// Periods in which the process wanted more than it got.
    pub(crate) fn throttled(&self) -> u64 {
        let stat = fs::read_to_string(self.directory.join("cpu.stat")).unwrap();
        let value = stat.lines().find_map(|line| line.strip_prefix("nr_throttled "));
        value.expect("a line").parse().unwrap()
    }

    fn write(&self, file: &str, text: &str) -> bool {
        // Not made anew: in a folder that is no control group it would be a file like any other.
        let file = fs::OpenOptions::new().write(true).open(self.directory.join(file));
        file.and_then(|mut file| file.write_all(text.as_bytes())).is_ok()
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // Only an empty one can be removed.
        if let (Ok(inside), Some(parent)) =
            (fs::read_to_string(self.directory.join("cgroup.procs")), self.directory.parent())
        {
            for process in inside.lines() {
                let _ = fs::write(parent.join("cgroup.procs"), process);
            }
        }
        let _ = fs::remove_dir(&self.directory);
    }
}
