//! Programs of other packages: on PATH, or where Debian keeps them.

use std::path::PathBuf;

use crate::failure::Failure;

/// Finds one of a package, and says how to get it where it is missing.
///
/// # Errors
/// Exit 2 with the command that installs it.
pub(super) fn find(program: &str, package: &str) -> Result<PathBuf, Failure> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let places = std::env::split_paths(&path).chain(debian());
    places.map(|folder| folder.join(program)).find(|candidate| candidate.is_file()).ok_or_else(|| {
        Failure::usage(format!("`{program}` is not on PATH"))
            .hint(format!("apt-get install {package}; or name a database of your own by its URL"))
    })
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
    use super::find;

    #[test]
    fn what_is_missing_is_told_with_the_command_that_installs_it() {
        assert!(find("sh", "dash").unwrap().is_file());
        let told = find("golive-no-such-program", "some-package").unwrap_err().to_string();
        assert!(
            told.contains("golive-no-such-program") && told.contains("apt-get install some-package"),
            "{told}"
        );
    }
}
