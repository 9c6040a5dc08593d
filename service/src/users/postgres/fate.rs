/// What becomes of a connection, and what it tells of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It answered to the end: for the next statement.
    Usable,
    /// It is closed, as nobody knows what it would say next.
    Doubtful,
    /// It is dead, and so may be those that were not used since.
    Lost,
    /// What lies behind it has changed: every connection that was made before now is replaced.
    Outdated,
}
