//! `validator lint`: the static checks from YAML alone.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::rules;
use crate::cli::LintArgs;
use crate::config::{Day, GoLivePolicy};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::lint::{self, Source};
use crate::moment::now;

/// Looks at files, folders and stdin.
///
/// # Errors
/// Exit 2 for what cannot be read, and where no workload is found.
pub(super) fn lint(args: &LintArgs) -> Result<Exit, Failure> {
    let by = rules::read(&args.rules, GoLivePolicy::BUILT_IN)?;
    let mut sources = Vec::new();
    for path in &args.paths {
        sources.extend(read(path)?);
    }
    if let Some(name) = &args.name {
        sources
            .iter_mut()
            .filter(|source| source.name == "-")
            .for_each(|source| name.clone_into(&mut source.name));
    }
    let linted = lint::lint(&sources, &by, Day::of(now())).map_err(|e| {
        Failure::usage(e.to_string())
            .hint("a chart is rendered first: helm template CHART | validator lint -")
    })?;
    if linted.workloads.is_empty() {
        return Err(Failure::usage("no Deployment, StatefulSet or DaemonSet is in these manifests")
            .hint("validator lint FILE, FOLDER or - for stdin"));
    }
    let mut out = anstream::stdout().lock();
    lint::write(&linted, args.format, &mut out)?;
    out.flush()?;
    Ok(if linted.gates() { Exit::NoGo } else { Exit::Success })
}

/// Files of a folder below it too, in order of their names.
pub(super) fn read(path: &Path) -> Result<Vec<Source>, Failure> {
    let cannot =
        |path: &Path, e: std::io::Error| Failure::usage(format!("cannot read {}: {e}", path.display()));
    if path.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map_err(|e| cannot(path, e))?;
        return Ok(vec![Source { name: "-".into(), text }]);
    }
    let mut files = Vec::new();
    collect(path, &mut files).map_err(|e| cannot(path, e))?;
    files.sort();
    files
        .into_iter()
        .map(|file| {
            let text = std::fs::read_to_string(&file).map_err(|e| cannot(&file, e))?;
            Ok(Source { name: file.display().to_string(), text })
        })
        .collect()
}

fn collect(path: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    if !path.is_dir() {
        files.push(path.to_owned());
        return Ok(());
    }
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let path = entry.path();
        let is_yaml = path.extension().is_some_and(|ext| ext == "yaml" || ext == "yml");
        // Not through links: they may lead in a circle.
        if entry.file_type()?.is_dir() {
            collect(&path, files)?;
        } else if is_yaml {
            files.push(path);
        }
    }
    Ok(())
}
