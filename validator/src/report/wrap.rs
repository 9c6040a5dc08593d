//! Breaks text into lines of a width.

use super::legible::legible;

/// Width of every line of the terminal report.
pub(super) const WIDTH: usize = 80;

/// Lines of at most `WIDTH` columns, each after the first indented; words longer than a line stay whole. Nothing in the text
/// reaches the terminal but as text; what stands `first` is the caller's.
pub(crate) fn wrap(first: &str, text: &str, indent: usize) -> String {
    let mut lines = String::from(first);
    let mut column = first.chars().count();
    let mut at_start = true;
    for word in legible(text).split_whitespace() {
        let length = word.chars().count();
        let space = usize::from(!at_start);
        if column + space + length > WIDTH && !at_start {
            lines.push('\n');
            lines.extend(std::iter::repeat_n(' ', indent));
            column = indent;
        } else if !at_start {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
        at_start = false;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::{WIDTH, wrap};

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        let text = "zero requests were lost over six terminations ".repeat(9);
        let wrapped = wrap("[x] PASS         shutdown  ", &text, 27);
        assert!(wrapped.lines().all(|line| line.chars().count() <= WIDTH), "{wrapped}");
        assert!(wrapped.lines().skip(1).all(|line| line.starts_with(&" ".repeat(27))), "{wrapped}");
    }
}
