//! Which parts of the experiment are done.

use std::collections::BTreeSet;
use std::str::FromStr;

use clap::Args;

use crate::check::Check;
use crate::checks::find;
use crate::failure::Failure;
use crate::plan::Part;

/// What of the experiment is done. What is left out is not judged, and the verdict is no GO of the whole.
#[derive(Args, Debug)]
pub struct PartArgs {
    /// Do only this part of the experiment; quick (the two outages every service meets) and full are several; may be repeated. `validator plan` names all parts
    #[arg(long, value_name = "PART")]
    pub part: Vec<Selected>,
    /// Do what this check needs, by its code or slug; may be repeated
    #[arg(long, value_name = "CHECK", value_parser = check)]
    pub check: Vec<&'static Check>,
    /// Leave this part out; may be repeated
    #[arg(long, value_name = "PART")]
    pub skip: Vec<Part>,
}

/// Parts by one name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selected(BTreeSet<Part>);

impl FromStr for Selected {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "quick" => Ok(Self(Part::QUICK.into())),
            "full" => Ok(Self(Part::all())),
            name => {
                name.parse().map(|part: Part| Self([part].into())).map_err(|e| format!("{e}, quick, full"))
            }
        }
    }
}

fn check(text: &str) -> Result<&'static Check, String> {
    find(text).ok_or_else(|| format!("there is no check `{text}`: `validator checks` lists them"))
}

impl PartArgs {
    /// The parts that are done: those named and those that checks need, else all; less those that are left out, and what
    /// cannot be done without them.
    ///
    /// # Errors
    /// Exit 2 where a part or a check is asked for that cannot do without one that is left out.
    pub fn selected(&self) -> Result<BTreeSet<Part>, Failure> {
        let named = self.part.iter().flat_map(|Selected(parts)| parts.iter().copied());
        let needed = self.check.iter().flat_map(|check| check.needs.parts().iter().copied());
        let mut asked: BTreeSet<Part> = named.chain(needed).collect();
        asked.extend(asked.clone().into_iter().filter_map(Part::follows));
        if self.part.is_empty() && self.check.is_empty() {
            asked = Part::all();
        }
        for check in &self.check {
            if let Some(part) = check.needs.parts().iter().find(|part| self.skips(**part)) {
                return Err(Failure::usage(format!(
                    "--check {} needs the part {part}, --skip leaves it out",
                    check.id
                )));
            }
        }
        Ok(asked.into_iter().filter(|part| !self.skips(*part)).collect())
    }

    /// Whether it is left out, or follows what is.
    fn skips(&self, part: Part) -> bool {
        self.skip.contains(&part) || part.follows().is_some_and(|before| self.skip.contains(&before))
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        parts: PartArgs,
    }

    fn selected(line: &str) -> Result<Vec<&'static str>, String> {
        let line = Line::try_parse_from(["x"].into_iter().chain(line.split_whitespace()));
        let selected = line.map_err(|e| e.to_string())?.parts.selected().map_err(|e| e.to_string())?;
        Ok(selected.into_iter().map(Part::name).collect())
    }

    #[test]
    fn a_check_brings_what_it_needs_and_what_that_follows() {
        assert_eq!(selected("").unwrap().len(), Part::ALL.len());
        assert_eq!(selected("--part full").unwrap().len(), Part::ALL.len());
        assert_eq!(selected("--part quick").unwrap(), ["hang", "loss"]);
        assert_eq!(selected("--check GL-B208").unwrap(), ["hang", "hiccups"]);
        assert_eq!(
            selected("--part hiccups --check readiness-returns").unwrap(),
            ["hang", "hiccups", "loss"]
        );
        assert!(selected("--check GL-R001").unwrap().is_empty(), "it needs no more than the rolls");
    }

    #[test]
    fn what_is_left_out_takes_along_what_follows_it() {
        let without = selected("--skip hang").unwrap();
        assert!(!without.contains(&"hiccups") && without.contains(&"loss"));
        let told = selected("--check GL-B208 --skip hang").unwrap_err();
        assert!(told.contains("GL-B208 needs the part hang"), "{told}");
        assert!(selected("--part quik").unwrap_err().contains("loss, quick, full"));
        assert!(selected("--check GL-X1").unwrap_err().contains("validator checks"));
    }
}
