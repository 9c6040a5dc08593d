//! The nearest valid name beside an unknown one.

/// Names further apart than this are no slip of the keyboard (Jaro-Winkler).
const ALIKE: f64 = 0.75;

/// The error of a parser, and which of the names that it expected was probably meant, in its first line.
pub(super) fn with_nearest(error: String) -> String {
    let (first, rest) = error.split_once('\n').unwrap_or((&error, ""));
    let Some((unknown, expected)) = unknown(first) else { return error };
    let alike = |name: &&str| strsim::jaro_winkler(&unknown.to_lowercase(), &name.to_lowercase());
    match expected.into_iter().max_by(|a, b| alike(a).total_cmp(&alike(b))) {
        Some(nearest) if alike(&nearest) >= ALIKE => format!("{first}; did you mean `{nearest}`?\n{rest}"),
        _ => error,
    }
}

/// The name that serde does not know, and those that it does.
fn unknown(line: &str) -> Option<(&str, Vec<&str>)> {
    let (_, rest) = line.split_once("unknown field `").or_else(|| line.split_once("unknown variant `"))?;
    let (unknown, rest) = rest.split_once('`')?;
    let (_, expected) = rest.split_once("expected ")?;
    let names = expected.strip_prefix("one of ").unwrap_or(expected).split([',', ' ', '`']);
    Some((unknown, names.filter(|name| !name.is_empty() && *name != "or").collect()))
}

#[cfg(test)]
mod tests {
    use super::with_nearest;

    #[test]
    fn a_slip_gets_the_name_that_was_meant_and_nonsense_gets_none() {
        let error = |name: &str| {
            format!("line 3: unknown field `{name}`, expected one of traffic, target\n  snippet")
        };
        assert!(with_nearest(error("trafic")).contains("; did you mean `traffic`?\n  snippet"));
        assert!(with_nearest(error("Target")).contains("; did you mean `target`?"));
        let one = "unknown variant `rediss`, expected `redis` or `tcp`".to_owned();
        assert!(with_nearest(one).contains("`redis`?"));
        assert_eq!(with_nearest(error("xyz")), error("xyz"));
        assert_eq!(with_nearest("something else".into()), "something else");
    }
}
