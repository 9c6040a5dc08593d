//! What was saved of a run: its evidence, or a JSON report.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde_json::Value;

use crate::checks::ALL;
use crate::evidence;
use crate::failure::Failure;
use crate::report::{Report, SCHEMA};

/// What every zstd frame begins with (RFC 8878, 3.1.1).
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// The report of a file: judged anew from evidence, or as it was written.
///
/// # Errors
/// Exit 2 for what is neither.
pub(super) fn report(path: &Path) -> Result<Report, Failure> {
    let cannot = |e: std::io::Error| Failure::usage(format!("cannot read {}: {e}", path.display()));
    let mut begin = [0; 4];
    let is_evidence =
        File::open(path).and_then(|mut file| file.read_exact(&mut begin)).is_ok() && begin == ZSTD;
    if is_evidence {
        let evidence = evidence::read(path).map_err(|e| Failure::usage(e.to_string()))?;
        return Ok(crate::judge::judge(&evidence, ALL));
    }
    let text = std::fs::read_to_string(path).map_err(cannot)?;
    parsed(&text).map_err(|why| {
        Failure::usage(format!("{}: neither evidence nor a JSON report: {why}", path.display()))
            .hint("`validator run --report json=PATH` writes the one, `--evidence PATH` the other")
    })
}

fn parsed(text: &str) -> Result<Report, String> {
    let value: Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    match value["schema"].as_str() {
        Some(SCHEMA) => serde_json::from_value(value).map_err(|e| e.to_string()),
        other => Err(format!("its schema is {}, expected {SCHEMA}", other.unwrap_or("not named"))),
    }
}

/// Two reports can be compared if they are about one deployment; its namespace may be that of a pull request.
///
/// # Errors
/// Exit 2 if they are not.
pub(super) fn of_one_target(before: &Report, after: &Report) -> Result<(), Failure> {
    if before.purpose != after.purpose {
        let told =
            "one of these runs proved, the other one only observed: what was not looked at is no worse";
        return Err(Failure::usage(told).hint("compare two that prove, or two that observe"));
    }
    if before.deployment == after.deployment {
        return Ok(());
    }
    let told =
        format!("these are reports of two deployments: {} and {}", before.deployment, after.deployment);
    Err(Failure::usage(told).hint("compare two runs of the same one"))
}
