//! What can be looked up: checks, schemas, completions.

use clap::{Args, ValueEnum};
use clap_complete::Shell;

use crate::explain::Language;

/// `validator checks`.
#[derive(Args, Debug)]
pub struct ChecksArgs {
    /// How they are told
    #[arg(long, value_enum, default_value_t)]
    pub format: CatalogueFormat,
}

/// A format of the catalogue.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum CatalogueFormat {
    /// A line each
    #[default]
    Table,
    /// All that is known of each, as JSON
    Json,
    /// The whole catalogue as Markdown
    Markdown,
}

/// `validator explain`.
#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// Code or slug of a check
    pub check: String,
    /// Show the remedy in this language only; may be repeated
    #[arg(short, long, value_enum)]
    pub language: Vec<Language>,
}

/// `validator schema`.
#[derive(Args, Debug)]
pub struct SchemaArgs {
    /// Of what
    pub of: SchemaOf,
}

/// What has a schema.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SchemaOf {
    /// The JSON report
    Report,
    /// The target file
    Target,
    /// The policy
    Policy,
}

/// `validator completions`.
#[derive(Args, Debug)]
pub struct CompletionsArgs {
    /// Of which shell
    pub shell: Shell,
}
