//! `validator checks` and `validator explain`.

use std::io::Write;

use serde_json::{Value, json};

use crate::check::Check;
use crate::checks::{ALL, find};
use crate::cli::{CatalogueFormat, ChecksArgs, ExplainArgs};
use crate::exit::Exit;
use crate::explain::{self, Language};
use crate::failure::Failure;
use crate::lint::{RULES, Rule};
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
    let Check { id, slug, area, severity, why, how, remedy, rests_on, needs, .. } = check;
    let rests_on: Vec<&str> = rests_on.iter().map(|kind| kind.name()).collect();
    json!({
        "id": id, "slug": slug, "area": area, "severity": severity, "why": why, "how": how, "remedy": remedy,
        "rests_on": rests_on, "needs": needs.names(), "observed": needs.can_be_observed()
    })
}

/// Explains one check, or one rule of lint: both stand in code scanning by their codes.
pub(super) fn explain(args: &ExplainArgs) -> Result<Exit, Failure> {
    let is_named = |rule: &&&Rule| rule.id.eq_ignore_ascii_case(&args.check) || rule.slug == args.check;
    let languages: &[Language] = if args.language.is_empty() { &Language::ALL } else { &args.language };
    let text = match (find(&args.check), RULES.iter().find(is_named)) {
        (Some(check), _) => explain::explain(check, languages),
        (None, Some(rule)) => explain::explain_rule(rule),
        (None, None) => return Err(unknown(&args.check)),
    };
    anstream::stdout().lock().write_all(text.as_bytes())?;
    Ok(Exit::Success)
}

fn unknown(name: &str) -> Failure {
    let wanted = name.to_lowercase();
    let alike = |(id, slug): &(&str, &str)| {
        let by = |name: &str| strsim::jaro_winkler(name, &wanted);
        by(&id.to_lowercase()).max(by(slug))
    };
    let checks = ALL.iter().map(|check| (check.id, check.slug));
    let known = checks.chain(RULES.iter().map(|rule| (rule.id, rule.slug)));
    let nearest = known.max_by(|a, b| alike(a).total_cmp(&alike(b)));
    let meant = nearest.map(|(id, slug)| format!("; the nearest is {id} {slug}")).unwrap_or_default();
    Failure::usage(format!("no check `{name}`")).hint(format!("`validator checks` lists all of them{meant}"))
}
