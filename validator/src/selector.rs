//! Whom a Service leads to.

use serde_json::Value;

/// Whether the selector of a Service selects pods with these labels; an empty one selects nobody (its endpoints are kept by
/// somebody else).
pub(crate) fn selects(selector: Option<&Value>, labels: Option<&Value>) -> bool {
    let wanted = selector.and_then(Value::as_object).filter(|wanted| !wanted.is_empty());
    wanted.is_some_and(|all| {
        all.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
    })
}

#[cfg(test)]
mod tests {
    use super::selects;
    use serde_json::json;

    #[test]
    fn every_label_that_is_asked_for_must_be_there_and_nothing_asked_selects_nobody() {
        let labels = json!({ "app": "shop", "tier": "web" });
        assert!(selects(Some(&json!({ "app": "shop" })), Some(&labels)));
        for other in [json!({ "app": "shop", "v": "2" }), json!({ "app": "db" }), json!({}), json!(null)] {
            assert!(!selects(Some(&other), Some(&labels)), "{other}");
        }
        assert!(!selects(None, Some(&labels)) && !selects(Some(&json!({ "app": "shop" })), None));
    }
}
