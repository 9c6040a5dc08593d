//! The command that brings an update in an emergency: pure.

use serde_json::{Map, Value, json};

use super::asked::{Asked, BREAK_GLASS, Container};

/// What stands for the reason.
pub(super) const REASON: &str = "WHY";

/// Images and reason in one request, which neither `kubectl set image` nor `kubectl rollout undo` can make: an undo brings the
/// annotations of then. Nothing for a deployment that is created, or gets a container that it had not: a patch of its image
/// would not bring the rest of it.
pub(super) fn patch(asked: &Asked) -> Option<String> {
    let before = asked.before.as_ref()?;
    let mut spec = Map::new();
    for ((list, after), (_, before)) in asked.after.lists().into_iter().zip(before.lists()) {
        let changed = changed(after, before)?;
        if !changed.is_empty() {
            spec.insert(list.to_owned(), json!(changed));
        }
    }
    let patch = json!({
        "metadata": { "annotations": { BREAK_GLASS: REASON } }, "spec": { "template": { "spec": spec } }
    });
    // In single quotes a shell changes nothing but the quote itself.
    let quoted = patch.to_string().replace('\'', r"'\''");
    Some(format!("kubectl -n {} patch deployment {} -p '{quoted}'", asked.namespace, asked.name))
}

/// Those with another image than before; nothing where one was not there.
fn changed(after: &[Container], before: &[Container]) -> Option<Vec<Value>> {
    let mut changed = Vec::new();
    for Container { name, image, .. } in after {
        let old = before.iter().find(|old| old.name == *name)?;
        if old.image != *image {
            changed.push(json!({ "name": name, "image": image }));
        }
    }
    Some(changed)
}
