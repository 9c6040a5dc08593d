//! Where the results of a run go: the evidence to its file, the report to all places that were asked for.

use std::io::Write;
use std::path::{Path, PathBuf};

use super::publish::publish;
use crate::cli::ReportArgs;
use crate::evidence::{Evidence, write};
use crate::failure::Failure;
use crate::gate::Sink;
use crate::report::{Report, ReportFile};

/// Files, stdout, a collector.
pub(super) struct Files<'a> {
    reports: &'a ReportArgs,
    evidence: Option<&'a Path>,
}

impl<'a> Files<'a> {
    /// An output that cannot be written is found out now, not after the run.
    ///
    /// # Errors
    /// Exit 2 with the file that cannot be written, and where two reports would stand on stdout.
    pub(super) fn open(reports: &'a ReportArgs, evidence: Option<&'a Path>) -> Result<Self, Failure> {
        reports.check()?;
        let files = Self { reports, evidence };
        let paths = reports.report.iter().filter_map(ReportFile::path).map(PathBuf::from);
        paths.chain([files.evidence("writable")]).try_for_each(|path| writable(&path))?;
        Ok(files)
    }

    /// Where the evidence of a run goes.
    fn evidence(&self, run: &str) -> PathBuf {
        let usual = || PathBuf::from("golive-out").join(format!("{run}.evidence.zst"));
        self.evidence.map_or_else(usual, Path::to_owned)
    }
}

impl Sink for Files<'_> {
    fn keep(&self, evidence: &Evidence) -> Result<String, Failure> {
        let path = self.evidence(&evidence.plan().run);
        write(&path, evidence).map_err(|e| Failure::environment(e.to_string()))?;
        Ok(path.display().to_string())
    }

    /// A report that does not arrive is no verdict: a candidate that passed is not taken back for it.
    async fn deliver(&self, report: &Report) {
        for undelivered in publish(report, self.reports).await {
            writeln!(anstream::stderr(), "{undelivered}").ok();
        }
    }
}

fn writable(path: &Path) -> Result<(), Failure> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let made = folder.map_or(Ok(()), std::fs::create_dir_all);
    let there = path.exists();
    let opened = made.and_then(|()| std::fs::OpenOptions::new().append(true).create(true).open(path));
    let tried = opened.and_then(|_| if there { Ok(()) } else { std::fs::remove_file(path) });
    tried.map_err(|e| {
        Failure::usage(format!("cannot write {}: {e}", path.display()))
            .hint("name files in a folder that can be written: --evidence FILE, --report FORMAT=FILE")
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use clap::Parser;

    use super::Files;
    use crate::checks::ALL;
    use crate::cli::{Cli, Command, RunArgs};
    use crate::evidence::read;
    use crate::gate::Sink as _;
    use crate::judge::judge;

    fn args(extra: &[&str]) -> RunArgs {
        let line = ["validator", "run", "deployment/users", "--get", "/", "-q"];
        match Cli::parse_from(line.iter().chain(extra)).command {
            Command::Run(args) => *args,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_report_that_does_not_arrive_keeps_no_other_back() {
        let folder = std::env::temp_dir().join(format!("golive-files-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let at = |name: &str| folder.join(name).display().to_string();
        // Bound and dropped: nobody listens there.
        let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (otlp, lost) = (format!("otlp=http://{closed}"), format!("html={}", at("no/such/folder.html")));
        let (json, text) = (format!("json={}", at("report.json")), format!("terminal={}", at("report.txt")));
        let evidence = at("e.zst");
        let asked = [&otlp, &lost, &json, &text].map(|report| ["--report", report.as_str()]).concat();
        let args = args(&[asked, vec!["--evidence", evidence.as_str()]].concat());
        let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/good.evidence.zst");
        let good = read(&good).unwrap();
        let files = Files { reports: &args.gate.report, evidence: args.gate.evidence.as_deref() };
        assert_eq!(files.keep(&good).unwrap(), evidence);
        files.deliver(&judge(&good, ALL)).await;
        assert_eq!(read(Path::new(&evidence)).unwrap().facts.len(), good.facts.len());
        assert!(std::fs::read_to_string(at("report.json")).unwrap().contains("\"GO\""));
        let told = std::fs::read_to_string(at("report.txt")).unwrap();
        assert_eq!(told.lines().count(), 3, "-q holds for it too");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
