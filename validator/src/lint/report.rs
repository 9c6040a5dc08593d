//! What was found, for people and for programs.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;

use anstyle::{AnsiColor, Style};
use serde_sarif::sarif::{ResultKind, ResultLevel};

use super::{Hit, Linted, rules};
use crate::check::Severity;
use crate::checks;
use crate::report::legible;
use crate::report::sarif::{Place, Rule, allowed, found, write_log};

/// How it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Text
    #[default]
    Terminal,
    /// JSON
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

/// Properties that no manifest can show.
const UNPROVEN: &str = "Declared is not proven. What only a run shows: that no request is lost in a roll, that spans arrive \
also of pods that die, that readiness follows what is declared, that a circuit opens, tries and closes: `validator run`.";

/// Writes it.
///
/// # Errors
/// What the output says.
pub fn write(linted: &Linted, format: Format, out: &mut dyn Write) -> io::Result<()> {
    match format {
        Format::Terminal => terminal(linted, out),
        Format::Json => {
            serde_json::to_writer_pretty(&mut *out, linted)?;
            out.write_all(b"\n")
        }
        Format::Sarif => write_log(
            env!("CARGO_PKG_VERSION"),
            rules_of(linted),
            linted.findings.iter().map(result).collect(),
            serde_json::to_value(&linted.waivers)?,
            out,
        ),
    }
}

fn terminal(linted: &Linted, out: &mut dyn Write) -> io::Result<()> {
    for hit in &linted.findings {
        let style = match hit.severity {
            Severity::Blocker | Severity::Major => AnsiColor::Red.on_default().bold(),
            Severity::Minor => AnsiColor::Yellow.on_default().bold(),
            Severity::Info => Style::new(),
        };
        let bold = Style::new().bold();
        let Hit { file, line, rule, slug, severity, object, text, remedy, .. } = hit;
        let (file, object, text) = (legible(file), legible(object), legible(text));
        writeln!(
            out,
            "{bold}{file}:{line}{bold:#}: {style}{severity}{style:#} {rule} {slug}: {object}: {text}"
        )?;
        match &hit.waived {
            Some(by) => writeln!(out, "    waived {}", legible(by))?,
            None => writeln!(out, "    -> {remedy}")?,
        }
    }
    for line in &linted.waivers {
        writeln!(out, "waiver of {}, {}: {}", line.waiver.check, line.state, legible(&line.told()))?;
    }
    let of = |severity| {
        linted.findings.iter().filter(|hit| hit.severity == severity && hit.waived.is_none()).count()
    };
    if !linted.findings.is_empty() || !linted.waivers.is_empty() {
        writeln!(out)?;
    }
    writeln!(
        out,
        "{} workloads, {} blockers, {} majors, {} minors, in {:.1} ms",
        linted.workloads.len(),
        of(Severity::Blocker),
        of(Severity::Major),
        of(Severity::Minor),
        linted.took_ms
    )?;
    writeln!(out, "{UNPROVEN}")
}

fn result(hit: &Hit) -> serde_sarif::sarif::Result {
    let level = match hit.severity {
        Severity::Blocker | Severity::Major => ResultLevel::Error,
        Severity::Minor => ResultLevel::Warning,
        Severity::Info => ResultLevel::Note,
    };
    let text = format!("{}: {}", hit.object, hit.text);
    let place = Place::File(uri(&hit.file), hit.line);
    match &hit.waived {
        Some(by) => allowed(found(hit.rule, ResultKind::Fail, ResultLevel::Note, &text, place), by),
        None => found(hit.rule, ResultKind::Fail, level, &text, place),
    }
}

/// A relative reference (RFC 3986, 4.2) as code scanning can place it: from the working folder, with blanks encoded.
fn uri(path: &str) -> String {
    let here = std::env::current_dir().ok();
    let inside = here.and_then(|here| Some(Path::new(path).strip_prefix(here).ok()?.display().to_string()));
    let path = inside.unwrap_or_else(|| path.to_owned());
    let mut uri = String::with_capacity(path.len());
    for byte in path.trim_start_matches("./").bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

/// Those that were met.
fn rules_of(linted: &Linted) -> Vec<Rule> {
    let mut met: Vec<&Hit> = linted.findings.iter().collect();
    met.sort_by_key(|hit| hit.rule);
    met.dedup_by_key(|hit| hit.rule);
    let why = |id: &str| {
        let rule = rules::ALL.iter().find(|rule| rule.id == id).map(|rule| rule.why);
        rule.or_else(|| checks::find(id).map(|check| check.why)).unwrap_or_default().to_owned()
    };
    met.into_iter()
        .map(|hit| Rule { id: hit.rule, name: hit.slug, why: why(hit.rule), remedy: hit.remedy })
        .collect()
}
