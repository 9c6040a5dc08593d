//! `validator checks` and `validator explain`.

use std::io::Write;

use serde_json::{Value, json};

use crate::check::Check;
use crate::checks::{ALL, find};
use crate::cli::{CatalogueFormat, ChecksArgs, ExplainArgs};
use crate::exit::Exit;
use crate::explain::{self, Language};
use crate::failure::Failure;
use crate::report::catalogue;

/// Lists all checks.
pub(super) fn list(args: &ChecksArgs) -> Result<Exit, Failure> {
    let mut out = anstream::stdout().lock();
    match args.format {
        CatalogueFormat::Markdown => out.write_all(catalogue(ALL).as_bytes())?,
        CatalogueFormat::Json => {
            serde_json::to_writer_pretty(&mut out, &ALL.iter().map(|check| told(check)).collect::<Vec<_>>())?;
            out.write_all(b"\n")?;
        }
        CatalogueFormat::Table => {
            for check in ALL {
                writeln!(out, "{} {:<7} {:<8} {}", check.id, check.severity, check.area.name(), check.slug)?;
            }
        }
    }
    Ok(Exit::Success)
}

fn told(check: &Check) -> Value {
    let Check { id, slug, area, severity, why, how, remedy, rests_on, .. } = check;
    let rests_on: Vec<&str> = rests_on.iter().map(|kind| kind.name()).collect();
    json!({
        "id": id, "slug": slug, "area": area, "severity": severity, "why": why, "how": how, "remedy": remedy,
        "rests_on": rests_on
    })
}

/// Explains one check.
pub(super) fn explain(args: &ExplainArgs) -> Result<Exit, Failure> {
    let check = find(&args.check).ok_or_else(|| {
        let wanted = args.check.to_lowercase();
        let alike = |check: &&Check| {
            let by = |name: &str| strsim::jaro_winkler(name, &wanted);
            by(&check.id.to_lowercase()).max(by(check.slug))
        };
        let nearest = ALL.iter().copied().max_by(|a, b| alike(a).total_cmp(&alike(b)));
        let meant =
            nearest.map(|check| format!("; the nearest is {} {}", check.id, check.slug)).unwrap_or_default();
        Failure::usage(format!("no check `{}`", args.check))
            .hint(format!("`validator checks` lists all of them{meant}"))
    })?;
    let languages: &[Language] = if args.language.is_empty() { &Language::ALL } else { &args.language };
    anstream::stdout().lock().write_all(explain::explain(check, languages).as_bytes())?;
    Ok(Exit::Success)
}
