use http::{HeaderMap, HeaderName};

/// The value of a list that may come in several header lines (RFC 9110, 5.3): their values in order, empty ones left out;
/// `None` if one of them is no text.
pub(super) fn combined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let mut list = String::new();
    for line in headers.get_all(name) {
        let line = line.to_str().ok()?.trim();
        if !list.is_empty() && !line.is_empty() {
            list.push(',');
        }
        list.push_str(line);
    }
    Some(list)
}
