//! `validator verify` and `validator attest`.

use std::path::PathBuf;

use clap::Args;

use crate::verify::Image;

/// What is asked about an image.
#[derive(Args, Debug)]
pub struct VerifyArgs {
    /// The image by its digest
    #[arg(value_name = "IMAGE@DIGEST")]
    pub image: Image,
    /// The organisation's policy: severities, waivers and how long a GO is good [default: the built-in one]
    #[arg(long, value_name = "FILE")]
    pub policy: Option<PathBuf>,
    /// A JSON report or an evidence file; may be repeated: the last run about this digest counts
    #[arg(long, value_name = "FILE", required_unless_present = "attestation")]
    pub report: Vec<PathBuf>,
    /// A signed report; may be repeated
    #[arg(long, value_name = "FILE", requires = "key")]
    pub attestation: Vec<PathBuf>,
    /// The public key that attestations are signed with
    #[arg(long, value_name = "FILE.pub", requires = "attestation")]
    pub key: Option<PathBuf>,
}

/// What is signed, and by what.
#[derive(Args, Debug)]
pub struct AttestArgs {
    /// A JSON report or an evidence file
    pub report: PathBuf,
    /// The private key: P-256 in PKCS#8, as PEM, not encrypted
    #[arg(long, value_name = "FILE")]
    pub key: PathBuf,
    /// Where the envelope goes [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
}
