//! Text of a service is data: it moves no cursor, paints nothing and turns no line around.

/// The same with a mark in place of every control character but line ends and tabs, and of every character that changes the
/// direction of what follows (Unicode Standard Annex 9, 2.1 to 2.6; "Trojan Source", CVE-2021-42574).
pub(crate) fn legible(text: &str) -> String {
    let shown = |c: char| if is_control(c) { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().map(shown).collect()
}

fn is_control(c: char) -> bool {
    let turns =
        matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    turns || c.is_control() && !matches!(c, '\n' | '\t')
}

#[cfg(test)]
mod tests {
    use super::legible;

    #[test]
    fn what_would_forge_a_report_is_marked_and_every_script_stays() {
        assert_eq!(
            legible("a\u{1b}[2J\u{7}b\u{9b}1m\u{202e}c\r"),
            "a\u{fffd}[2J\u{fffd}b\u{fffd}1m\u{fffd}c\u{fffd}"
        );
        let kept = "Grüße, 你好, שלום, ✅ ⚠️\n\t27\u{202f}074";
        assert_eq!(legible(kept), kept);
    }
}
