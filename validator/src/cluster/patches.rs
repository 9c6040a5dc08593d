//! How we write into objects that are not ours: under one name, so that everybody can see what we wrote (KEP-555).
//!
//! Fields are laid on by server-side apply and taken off by JSON Patches (RFC 6902), whose tests keep us from
//! overwriting what somebody else has changed. docs/adr/0008-in-and-out-by-host-aliases.md says why both.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use kube::api::{Patch, PatchParams};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Cluster;
use crate::failure::Failure;

/// The field manager of everything that this program writes.
pub(super) const MANAGER: &str = "golive-validator";

/// Operations as a patch.
pub(super) fn json(operations: Value) -> Result<Patch<()>, Failure> {
    Ok(Patch::Json(serde_json::from_value(operations)?))
}

/// The JSON Pointer of an annotation (RFC 6901, 3).
pub(super) fn annotation(name: &str) -> String {
    member("/metadata/annotations", name)
}

/// The JSON Pointer of a member of an object.
pub(super) fn member(object: &str, name: &str) -> String {
    format!("{object}/{}", name.replace('/', "~1"))
}

impl Cluster {
    /// Applies the operations to an object of the namespace, all or none; gives what it has become.
    pub(super) async fn patch<K>(&self, doing: &str, name: &str, operations: Value) -> Result<K, Failure>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
        K::DynamicType: Default,
    {
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let patch = json(operations)?;
        self.call(doing, self.api::<K>().patch(name, &params, &patch)).await
    }

    /// Lays these fields on an object of the namespace, and takes those off that we laid on before and that are not
    /// among them. `force` takes a field over that somebody else has set.
    pub(super) async fn apply<K>(
        &self,
        doing: &str,
        name: &str,
        fields: &Value,
        force: bool,
    ) -> Result<K, Failure>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
        K::DynamicType: Default,
    {
        let params = PatchParams { force, ..PatchParams::apply(MANAGER) };
        self.call(doing, self.api::<K>().patch(name, &params, &Patch::Apply(fields))).await
    }
}
