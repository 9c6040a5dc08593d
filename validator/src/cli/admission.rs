//! `validator admission`.

use std::path::PathBuf;

use clap::Args;

/// What an admission webhook is told.
#[derive(Args, Debug)]
pub struct AdmissionArgs {
    /// Namespace whose runs prove images; may be repeated
    #[arg(short, long, required = true)]
    pub namespace: Vec<String>,
    /// Folder with tls.crt and tls.key; they are read again when they change
    #[arg(long, value_name = "FOLDER")]
    pub certificate: PathBuf,
    /// GoLivePolicy that a GO is held against: runs judged by another one prove nothing
    #[arg(long, value_name = "NAME", default_value = crate::config::GoLivePolicy::BUILT_IN)]
    pub policy: String,
    /// Repository whose images need no GO, or all below it with /* at its end; may be repeated
    #[arg(long, value_name = "REPOSITORY")]
    pub exempt: Vec<String>,
    /// Service account of runs, in the namespace of their target: what they roll is not asked about
    #[arg(long, default_value = "golive-validator")]
    pub account: String,
    /// Port for the API server
    #[arg(long, default_value_t = 8443)]
    pub port: u16,
    /// Port for /health, /ready and /metrics
    #[arg(long, default_value_t = 8081)]
    pub management_port: u16,
}
