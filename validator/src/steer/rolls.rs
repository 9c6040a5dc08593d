//! What rolls bring, and how they end.

/// Which template the roll out leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stays {
    /// The candidate's, without our aliases.
    Candidate,
    /// The one that was found.
    Old,
}

/// How a roll ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RollEnd {
    /// Complete, every old pod gone.
    Complete,
    /// The image of a new pod cannot be pulled, and why: says nothing about the service.
    Unpullable(String),
    /// It cannot complete, and why.
    Stuck(String),
    /// It was not complete when the run's own time was over: says nothing about the service.
    OutOfTime(String),
}

/// Which template the way back leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// The one that was found.
    Old,
    /// The present one, without our aliases.
    Clean,
}
