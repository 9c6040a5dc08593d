//! The cases of the findings as marks on the axis.

use super::{Axis, RequestLine};
use crate::check::Case;
use crate::report::CheckLine;

/// Marks of one check at most; the count of all stands in its summary.
const MAX_MARKS: usize = 20;

/// One case of one finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Code of the check.
    pub check: String,
    /// Its number among the cases of the check, from 0; those that were struck follow the others.
    pub case: usize,
    /// When it began.
    pub from_s: f64,
    /// When it was over.
    pub to_s: f64,
    /// What it was.
    pub text: String,
    /// What it was struck by, if it is not held against the target.
    pub struck: Option<String>,
    /// Number of the request that it is about, among those worth a look.
    pub request: Option<usize>,
}

pub(super) fn marks(lines: &[CheckLine], requests: &[RequestLine], axis: Axis) -> Vec<Mark> {
    let mut marks = Vec::new();
    for line in lines {
        let finding = &line.finding;
        let held = finding.cases.iter().map(|case| (case, None));
        let struck = finding.struck.iter().map(|struck| (&struck.case, Some(struck.by.clone())));
        let mark = |(number, (case, by)): (usize, (&Case, Option<String>))| Mark {
            check: line.id.clone(),
            case: number,
            from_s: axis.s(case.from),
            to_s: axis.s(case.to),
            text: case.text.clone(),
            struck: by,
            request: requests.iter().position(|request| request.line == case.line),
        };
        marks.extend(held.chain(struck).enumerate().map(mark).take(MAX_MARKS));
    }
    marks
}
