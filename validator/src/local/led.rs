//! A dependency of the copies: the variable that says where it is, past the agent or to a door of it.

use super::Located;
use super::threads::MiddleThread;
use crate::config::Dependency;
use crate::failure::Failure;
use crate::middle::Origin;

/// One dependency, with an agent before it.
pub(super) struct Led {
    pub(super) dependency: Dependency,
    /// Name of the variable.
    pub(super) variable: String,
    /// What it holds past the agent.
    pub(super) value: String,
    pub(super) located: Located,
    pub(super) middle: MiddleThread,
}

impl Led {
    /// The variable's value for a copy that is led to the agent, and how the agent knows that copy.
    pub(super) fn led(&self) -> Result<(String, Option<Origin>), Failure> {
        let door = self.middle.door();
        let door = door
            .map_err(|e| Failure::environment(format!("the agent before {}: {e}", self.dependency.name)))?;
        Ok((self.located.led_to((super::HOST, door).into()), Some(Origin::Listener(door))))
    }

    /// The same for one that is not.
    pub(super) fn direct(&self) -> (String, Option<Origin>) {
        (self.value.clone(), None)
    }
}
