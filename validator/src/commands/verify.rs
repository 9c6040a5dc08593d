//! `validator verify` and `validator attest`: a verdict for whoever guards production.

use std::io::Write;
use std::path::Path;

use serde_json::{Value, from_slice, to_vec_pretty};

use super::saved;
use crate::attestation::{Envelope, SigningKey, Statement, VerifyingKey};
use crate::cli::{AttestArgs, VerifyArgs};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::moment::now;
use crate::policy;
use crate::report::{Format, Report};
use crate::verify::{self, Proof};

/// Says whether there is a GO for an image.
///
/// # Errors
/// Exit 2 for what cannot be read, exit 3 for an attestation that nobody we know has signed.
pub(super) fn verify(args: &VerifyArgs) -> Result<Exit, Failure> {
    let policy = args.policy.as_deref().map(policy::read).transpose()?.unwrap_or_default();
    let mut reports = Vec::new();
    for path in &args.report {
        reports.push(saved::report(path)?);
    }
    if let Some(key) = &args.key {
        let key = VerifyingKey::from_pem(&read(key)?).map_err(|why| wrong(key, &why))?;
        for path in &args.attestation {
            reports.push(attested(path, &key)?);
        }
    }
    let proofs: Vec<Proof> = reports.iter().map(Proof::of).collect();
    let standing = verify::verify(&proofs, &args.image, &policy, now());
    writeln!(anstream::stdout(), "{}: {}", args.image.name, crate::report::legible(&standing.to_string()))?;
    if standing.exit() != Exit::Success {
        let digest = &args.image.name;
        writeln!(anstream::stderr(), "this would prove it: validator run -f golive.yaml --image {digest}")?;
    }
    Ok(standing.exit())
}

fn attested(path: &Path, key: &VerifyingKey) -> Result<Report, Failure> {
    let envelope: Envelope =
        from_slice(&read(path)?).map_err(|e| wrong(path, &format!("no DSSE envelope: {e}")))?;
    let opened = envelope.open(key).and_then(Statement::report);
    opened.map_err(|why| Failure::environment(format!("{}: {why}", path.display())))
}

/// Signs a report.
///
/// # Errors
/// Exit 2 for what cannot be read or is no key, and for a report without a digest.
pub(super) fn attest(args: &AttestArgs) -> Result<Exit, Failure> {
    let key = SigningKey::from_pem(&read(&args.key)?).map_err(|why| {
        wrong(&args.key, &why)
            .hint("openssl pkcs8 -topk8 -nocrypt -in ec.pem -out key.pem; docs/attestation.md")
    })?;
    let report = saved::report(&args.report)?;
    let mut json = Vec::new();
    report.write(Format::Json, &mut json)?;
    let json: Value = from_slice(&json)?;
    let statement = Statement::about(&report, json).map_err(|why| wrong(&args.report, &why))?;
    let envelope = Envelope::sign(&statement, &key).map_err(Failure::internal)?;
    let text = [to_vec_pretty(&envelope)?.as_slice(), b"\n"].concat();
    match &args.output {
        Some(path) => std::fs::write(path, text).map_err(|e| wrong(path, &format!("cannot write: {e}")))?,
        None => anstream::stdout().lock().write_all(&text)?,
    }
    Ok(Exit::Success)
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|e| Failure::usage(format!("cannot read {}: {e}", path.display())))
}

fn wrong(path: &Path, why: &str) -> Failure {
    Failure::usage(format!("{}: {why}", path.display()))
}
