//! JSON Patches (RFC 6902), whose tests keep us from overwriting what somebody else has changed.

use std::fmt::Debug;

use k8s_openapi::NamespaceResourceScope;
use kube::Resource;
use kube::api::{Patch, PatchParams};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Cluster;
use crate::failure::Failure;

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
    /// Applies the operations to an object of the namespace, all or none.
    pub(super) async fn patch<K>(&self, doing: &str, name: &str, operations: Value) -> Result<(), Failure>
    where
        K: Resource<Scope = NamespaceResourceScope> + Clone + DeserializeOwned + Debug,
        K::DynamicType: Default,
    {
        let (params, patch) = (PatchParams::default(), json(operations)?);
        self.call(doing, self.api::<K>().patch(name, &params, &patch)).await.map(drop)
    }
}
