//! What a stretch is about, when it is asked what disturbed it.

/// A dependency, a pod, both; or neither, where it is about the target as a whole.
#[derive(Clone, Copy, Debug, Default)]
pub struct About<'a> {
    /// The dependency.
    pub dependency: Option<&'a str>,
    /// The pod.
    pub pod: Option<&'a str>,
}

impl<'a> About<'a> {
    /// About one dependency, of whichever pod.
    pub fn dependency(name: &'a str) -> Self {
        Self { dependency: Some(name), pod: None }
    }
}
