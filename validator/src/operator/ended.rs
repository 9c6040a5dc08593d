//! What became of a run whose Job has ended: pure.

use std::io::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::check::Outcome;
use crate::config::{Day, Policy};
use crate::report::{CheckLine, Report};

/// Findings that stand in a status.
const MAX_FINDINGS: usize = 5;

/// What fits into a ConfigMap with what stands around it, as base64.
const MAX_REPORT: usize = 900_000;

/// What a pod said, and how it ended.
pub(super) struct Heard {
    pub(super) log: String,
    /// Nothing where no pod is left to tell.
    pub(super) exit: Option<i64>,
}

impl Heard {
    /// The report in the log: progress is off, so that only an error may stand around it.
    pub(super) fn report(&self) -> Option<(Report, &str)> {
        let begin = if self.log.starts_with('{') { 0 } else { self.log.find("\n{\n")? + 1 };
        let end = self.log.rfind("\n}")? + 2;
        let text = self.log.get(begin..end)?;
        Some((serde_json::from_str(text).ok()?, text))
    }

    /// The status of the run. A GO whose candidate did not stay (exit 3) is none.
    pub(super) fn status(&self, policy: &Policy) -> Value {
        let Some((report, _)) = self.report() else {
            let said =
                self.log.lines().rev().find(|line| line.starts_with("error:")).unwrap_or("it said nothing");
            let exit = self.exit.map_or_else(|| "its pod is gone".to_owned(), |code| format!("exit {code}"));
            return json!({ "phase": "Ended", "message": format!("{exit}: {said}") });
        };
        if report.purpose.proves() && report.verdict.is_go() && self.exit != Some(0) {
            let told = "GO, but the candidate was taken back, or nobody knows how the run ended";
            return json!({ "phase": "Ended", "message": told });
        }
        let identity = &report.identity;
        let ended: Option<Timestamp> = identity.ended.parse().ok();
        // What was only looked at was not proven, and is good for nothing.
        let proven = ended.filter(|_| report.purpose.proves());
        let until =
            proven.map(|at| Day::of(at.as_millisecond()).after(policy.verdict.valid_for_days).to_string());
        json!({
            "phase": "Ended", "verdict": report.verdict, "passing": format!("{}/4", report.passing()),
            "digest": identity.digest, "templateHash": identity.template_hash, "policy": identity.policy,
            "ended": identity.ended, "validUntil": until, "findings": findings(&report)
        })
    }
}

fn findings(report: &Report) -> Vec<String> {
    let noted = |line: &&CheckLine| {
        line.is_gating_failure() || line.is_open_blocker() || line.finding.outcome == Outcome::Waived
    };
    let told = report.checks.iter().filter(noted).take(MAX_FINDINGS);
    told.map(|line| format!("{} {}: {}", line.id, line.finding.outcome, line.finding.summary)).collect()
}

/// A report as a ConfigMap holds it, or why none does.
pub(super) fn packed(text: &str) -> Result<String, String> {
    let bytes = compressed(text).map_err(|e| format!("its report is not kept: {e}"))?;
    let packed = STANDARD.encode(bytes);
    if packed.len() > MAX_REPORT {
        let (is, fits) = (packed.len().div_ceil(1000), MAX_REPORT / 1000);
        return Err(format!(
            "its report is not kept, and admission cannot heed it: {is} kB, and {fits} kB fit"
        ));
    }
    Ok(packed)
}

/// Says in the status of a run why its report is not kept; the findings are what people read of a check.
pub(super) fn without_report(status: &mut Value, why: &str) {
    if let Some(findings) = status.get_mut("findings").and_then(Value::as_array_mut) {
        findings.push(json!(why));
    }
    if status.get("message").is_none() {
        status["message"] = json!(why);
    }
}

/// Compressed, since an object holds a mebibyte.
fn compressed(text: &str) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes())?;
    encoder.finish()
}
