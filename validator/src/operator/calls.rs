//! What the operator asks of the API server about one kind, each call a span with a deadline.

use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::core::{DynamicObject, ObjectList};
use serde_json::Value;

use super::kinds::MANAGER;
use super::traces::Traces;

/// A kind in a namespace, or in the cluster. Every method fails as [`Api`]'s does.
pub(super) struct Calls<'t> {
    pub(super) api: Api<DynamicObject>,
    /// As in the path, for the spans.
    pub(super) resource: &'t str,
    pub(super) traces: &'t Traces,
}

impl Calls<'_> {
    pub(super) async fn list(&self, of: &ListParams) -> kube::Result<ObjectList<DynamicObject>> {
        self.traces.call("list", self.resource, self.api.list(of)).await
    }

    pub(super) async fn get(&self, name: &str) -> kube::Result<DynamicObject> {
        self.traces.call("get", self.resource, self.api.get(name)).await
    }

    pub(super) async fn get_opt(&self, name: &str) -> kube::Result<Option<DynamicObject>> {
        self.traces.call("get", self.resource, self.api.get_opt(name)).await
    }

    pub(super) async fn create(&self, object: &DynamicObject) -> kube::Result<DynamicObject> {
        let how = PostParams { field_manager: Some(MANAGER.to_owned()), ..PostParams::default() };
        self.traces.call("create", self.resource, self.api.create(&how, object)).await
    }

    /// With what it owns, in the background.
    pub(super) async fn delete(&self, name: &str) -> kube::Result<()> {
        let how = DeleteParams::background();
        self.traces.call("delete", self.resource, self.api.delete(name, &how)).await.map(drop)
    }

    /// Lays a status on it, whoever wrote it before.
    pub(super) async fn apply_status(&self, name: &str, body: &Value) -> kube::Result<DynamicObject> {
        let (how, patch) = (PatchParams::apply(MANAGER).force(), Patch::Apply(body));
        self.traces.call("apply status", self.resource, self.api.patch_status(name, &how, &patch)).await
    }
}
