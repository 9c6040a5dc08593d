//! Whom a Service leads to, and whom a label selector selects.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::core::{Selector, SelectorExt};
use serde_json::Value;

/// Whether the selector of a Service selects pods with these labels; an empty one selects nobody (its endpoints are kept by
/// somebody else).
pub(crate) fn selects(selector: Option<&Value>, labels: Option<&Value>) -> bool {
    let wanted = selector.and_then(Value::as_object).filter(|wanted| !wanted.is_empty());
    wanted.is_some_and(|all| {
        all.iter().all(|(key, value)| labels.and_then(|labels| labels.get(key)) == Some(value))
    })
}

/// Whether a label selector, as that of a disruption budget, selects pods with these labels; an empty one selects all (policy/v1),
/// and none at all nobody.
pub(crate) fn matches(selector: Option<&Value>, labels: Option<&Value>) -> bool {
    let read = |selector: &Value| serde_json::from_value::<LabelSelector>(selector.clone()).ok();
    let Some(selector) = selector.and_then(read).and_then(|selector| Selector::try_from(selector).ok())
    else {
        return false;
    };
    let labels: Option<BTreeMap<String, String>> =
        labels.and_then(|labels| serde_json::from_value(labels.clone()).ok());
    selector.matches(&labels.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::{matches, selects};
    use serde_json::json;

    #[test]
    fn a_label_selector_is_read_with_its_expressions() {
        let labels = json!({ "app": "shop", "tier": "web" });
        let of = |operator, values| json!({ "matchExpressions": [{ "key": "tier", "operator": operator, "values": values }] });
        for wanted in [json!({}), json!({ "matchLabels": { "app": "shop" } }), of("In", ["web", "api"])] {
            assert!(matches(Some(&wanted), Some(&labels)), "{wanted}");
        }
        for other in [json!(null), json!({ "matchLabels": { "app": "db" } }), of("NotIn", ["web", "api"])] {
            assert!(!matches(Some(&other), Some(&labels)), "{other}");
        }
        assert!(!matches(None, Some(&labels)));
    }

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
