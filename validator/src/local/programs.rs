//! Programs of other packages: on PATH, or where Debian keeps them.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::config::Local;
use crate::failure::Failure;

/// Where programs are looked for when nothing says it, as execvp(3) has it.
const USUAL_PATH: &str = "/bin:/usr/bin";

/// What there is to do where no throw-away store can be started.
pub(super) const OWN: &str =
    "name one of your own: spec.local.dependencies.NAME.url, and --yes-break-it NAME";

/// Finds one of a package, and says how to get it where it is missing.
///
/// # Errors
/// Exit 2 with the command that installs it.
pub(super) fn find(program: &str, package: &str) -> Result<PathBuf, Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(debian());
    places.map(|folder| folder.join(program)).find(|candidate| candidate.is_file()).ok_or_else(|| {
        Failure::usage(format!("`{program}` is not on PATH"))
            .hint(format!("as root: apt-get install {package}; or {OWN}"))
    })
}

/// Whether what a copy runs is a program at all.
///
/// # Errors
/// Exit 2 with its name, and why it is none.
pub(super) fn startable(local: &Local) -> Result<(), Failure> {
    let Some(program) = local.command.first() else { return Ok(()) };
    let path = local.env.get("PATH").map(OsString::from).or_else(|| std::env::var_os("PATH"));
    let path = path.unwrap_or_else(|| USUAL_PATH.into());
    let places: Vec<PathBuf> = if program.contains('/') {
        vec![PathBuf::from(program)]
    } else {
        std::env::split_paths(&path).map(|folder| folder.join(program)).collect()
    };
    if places.iter().any(|place| is_executable(place)) {
        return Ok(());
    }
    let why = match (places.iter().any(|place| place.exists()), program.contains('/')) {
        (true, _) => "is no file that may be executed",
        (false, true) => "does not exist",
        (false, false) => "is not on PATH",
    };
    Err(Failure::usage(format!("a copy cannot be started: `{program}` {why}")).hint(
        "no shell is used, and each word stands by itself: `-- ./service --flag`; `-- sh -c '...'` is one that you ask for",
    ))
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// Debian keeps the programs of each version of Postgres to itself; the newest comes first.
fn debian() -> Vec<PathBuf> {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let number = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let mut versions: Vec<PathBuf> = versions.map(|entry| entry.path()).collect();
    versions.sort_by_key(|path| std::cmp::Reverse(number(path)));
    versions.into_iter().map(|version| version.join("bin")).collect()
}

#[cfg(test)]
mod tests {
    use super::{find, startable};
    use crate::config::Local;
    use crate::exit::Exit;

    #[test]
    fn what_no_copy_can_run_is_named_before_anything_is_started() {
        let told = |program: &str, path: Option<&str>| {
            let env = path.map(|path| ("PATH".to_owned(), path.to_owned())).into_iter().collect();
            let local = Local { command: vec![program.to_owned()], env, ..Local::default() };
            startable(&local).err()
        };
        assert!(told("sh", None).is_none() && told("/bin/sh", None).is_none());
        for (program, path, why) in [
            ("no-such-program --flag", None, "is not on PATH"),
            ("./no-such-program", None, "does not exist"),
            ("/etc/passwd", None, "may be executed"),
            ("/etc", None, "may be executed"),
            ("sh", Some("/nowhere"), "is not on PATH"),
        ] {
            let failure = told(program, path).unwrap();
            assert_eq!(failure.exit(), Exit::Usage);
            let told = failure.to_string();
            assert!([program, why, "no shell"].iter().all(|part| told.contains(part)), "{told}");
        }
    }

    #[test]
    fn what_is_missing_is_told_with_the_command_that_installs_it() {
        assert!(find("sh", "dash").unwrap().is_file());
        let told = find("golive-no-such-program", "some-package").unwrap_err().to_string();
        assert!(
            told.contains("golive-no-such-program")
                && told.contains("apt-get install some-package")
                && told.contains("spec.local.dependencies.NAME.url"),
            "{told}"
        );
    }
}
