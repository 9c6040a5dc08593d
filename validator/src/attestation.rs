//! A report as an in-toto statement: what was proven, about which bits, signed by whoever ran the gate.

mod envelope;
mod key;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use envelope::Envelope;
pub use key::{SigningKey, VerifyingKey};

use crate::report::{Report, SCHEMA};
use crate::verify::Image;

/// Type of the predicate: the JSON report, as docs/report.schema.json describes it.
pub const PREDICATE: &str = "https://golive.dev/attestation/report/v1";

/// Type of the statements that are made here (in-toto attestation framework, Statement v1).
const STATEMENT: &str = "https://in-toto.io/Statement/v1";

/// Type of those that `cosign attest` makes. All that is read here is the same in both.
const STATEMENT_OF_COSIGN: &str = "https://in-toto.io/Statement/v0.1";

/// What is said about an image.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Statement {
    /// [`STATEMENT`], or [`STATEMENT_OF_COSIGN`].
    #[serde(rename = "_type")]
    kind: String,
    /// The image, by name and digest.
    subject: Vec<Subject>,
    /// [`PREDICATE`].
    predicate_type: String,
    /// The JSON report.
    predicate: Value,
}

#[derive(Debug, Deserialize, Serialize)]
struct Subject {
    name: String,
    digest: Digest,
}

#[derive(Debug, Deserialize, Serialize)]
struct Digest {
    sha256: String,
}

impl Statement {
    /// What a report says, given as JSON.
    ///
    /// # Errors
    /// A report that is about no digest.
    pub fn about(report: &Report, json: Value) -> Result<Self, String> {
        let named = report
            .identity
            .digest
            .as_deref()
            .ok_or("it is about no digest: no pod of the candidate started")?;
        let image: Image = named.rsplit_once("://").map_or(named, |(_, image)| image).parse()?;
        let (name, sha256) = image.name.rsplit_once("@sha256:").ok_or("its digest is no sha256")?;
        let subject = Subject { name: name.to_owned(), digest: Digest { sha256: sha256.to_owned() } };
        Ok(Self {
            kind: STATEMENT.to_owned(),
            subject: vec![subject],
            predicate_type: PREDICATE.to_owned(),
            predicate: json,
        })
    }

    /// The report in it, if it says what it is signed for: a statement about one image with the report of another proves
    /// nothing.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn report(self) -> Result<Report, String> {
        if ![STATEMENT, STATEMENT_OF_COSIGN].contains(&self.kind.as_str()) {
            return Err(format!("its statement is {}, expected {STATEMENT} or v0.1 of it", self.kind));
        }
        if self.predicate_type != PREDICATE {
            return Err(format!("its predicate is {}, expected {PREDICATE}", self.predicate_type));
        }
        if self.predicate["schema"] != SCHEMA {
            return Err(format!("its report is {}, expected {SCHEMA}", self.predicate["schema"]));
        }
        let report: Report = serde_json::from_value(self.predicate).map_err(|e| e.to_string())?;
        let about = report.identity.digest.as_deref().and_then(|name| name.rsplit_once("@sha256:"));
        let is_subject =
            |(_, hex): (&str, &str)| self.subject.iter().any(|subject| subject.digest.sha256 == hex);
        if about.is_some_and(is_subject) {
            Ok(report)
        } else {
            Err("its report is about another image".into())
        }
    }
}
