//! Reading and writing evidence files.

use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use super::{Evidence, Fact, Header, SCHEMA};

/// Why an evidence file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    /// It cannot be read or written.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line is not what it should be.
    #[error("{path}: line {line}: {reason}")]
    Line {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// Writes the evidence beside its final name, then renames it: a reader never sees half a file.
pub fn write(path: &Path, evidence: &Evidence) -> Result<(), EvidenceError> {
    let partial = path.with_extension("partial");
    let attempt = || -> std::io::Result<()> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut out = zstd::Encoder::new(BufWriter::new(File::create(&partial)?), 6)?;
        line(&mut out, &evidence.header)?;
        for fact in &evidence.facts {
            line(&mut out, fact)?;
        }
        out.finish()?.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
        std::fs::rename(&partial, path)
    };
    attempt().map_err(|source| EvidenceError::Io { path: path.to_owned(), source })
}

fn line(out: &mut impl Write, value: &impl serde::Serialize) -> std::io::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    out.write_all(b"\n")
}

/// Reads a whole evidence file; errors name the line.
pub fn read(path: &Path) -> Result<Evidence, EvidenceError> {
    let io = |source| EvidenceError::Io { path: path.to_owned(), source };
    let bad = |line, reason: String| EvidenceError::Line { path: path.to_owned(), line, reason };
    let decoder = zstd::Decoder::new(File::open(path).map_err(io)?).map_err(io)?;
    let mut lines = BufReader::new(decoder).lines().enumerate();

    let (_, first) = lines.next().ok_or_else(|| bad(1, "the file is empty".into()))?;
    let first = first.map_err(io)?;
    let header: Header = serde_json::from_str(&first).map_err(|e| bad(1, e.to_string()))?;
    if header.schema != SCHEMA {
        return Err(bad(1, format!("schema is `{}`, expected `{SCHEMA}`", header.schema)));
    }
    let mut facts: Vec<Fact> = Vec::new();
    for (index, text) in lines {
        let text = text.map_err(|e| bad(index + 1, e.to_string()))?;
        facts.push(serde_json::from_str(&text).map_err(|e| bad(index + 1, e.to_string()))?);
    }
    Ok(Evidence { header, facts })
}
