//! What a process has said last.

use std::path::Path;

/// As many lines tell what went wrong.
const LINES: usize = 5;

/// The last lines of a file in one; "nothing" where there are none.
pub(super) fn last_lines(file: &Path) -> String {
    let said = std::fs::read(file).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().collect();
    if lines.is_empty() {
        "nothing".to_owned()
    } else {
        lines[lines.len().saturating_sub(LINES)..].join(" / ")
    }
}

#[cfg(test)]
mod tests {
    use super::last_lines;

    #[test]
    fn the_end_is_told_also_of_what_is_no_text_and_of_silence() {
        let file = std::env::temp_dir().join(format!("golive-test-{}", uuid::Uuid::new_v4()));
        assert_eq!(last_lines(&file), "nothing");
        std::fs::write(&file, b"1\n2\n3\n4\n5\n\xff6\n").unwrap();
        assert_eq!(last_lines(&file), "2 / 3 / 4 / 5 / \u{fffd}6");
        std::fs::remove_file(file).unwrap();
    }
}
