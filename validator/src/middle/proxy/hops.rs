//! Which header fields belong to one connection and are not passed on (RFC 9110, 7.6.1).

use http::header::{CONNECTION, HeaderMap, HeaderName, HeaderValue, TE, TRANSFER_ENCODING, UPGRADE};
use http::{Method, Request};

/// Fields for one connection that need not be named by `Connection`. `Trailer` is none of them: it tells the receiver what
/// to expect.
const ALWAYS: [HeaderName; 4] = [
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("http2-settings"),
    TRANSFER_ENCODING,
];

/// Whether a request asks to become something else. HTTP/2 is not granted: who offers it speaks HTTP/1.1 as well, and
/// goes on with that (RFC 9110, 7.8: an upgrade is an offer).
pub(super) fn is_upgrade<B>(request: &Request<B>) -> bool {
    let offered = request.headers().get(UPGRADE);
    let other = |value: &HeaderValue| !value.as_bytes().starts_with(b"h2c");
    request.method() == Method::CONNECT || offered.is_some_and(other)
}

/// Takes out what is not passed on. `Via` is not added: nobody is to see that we stand there.
pub(super) fn between(fields: &mut HeaderMap, upgrade: bool) {
    let named = fields.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    let named: Vec<String> =
        named.flat_map(|value| value.split(',')).map(|name| name.trim().to_ascii_lowercase()).collect();
    let close = named.iter().any(|name| name == "close");
    let trailers = fields.get(TE).is_some_and(|te| te.as_bytes().windows(8).any(|word| word == b"trailers"));
    fields.remove(CONNECTION);
    for name in named.iter().filter(|name| !upgrade || *name != "upgrade") {
        fields.remove(name.as_str());
    }
    for name in &ALWAYS {
        fields.remove(name);
    }
    if upgrade {
        fields.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    } else {
        fields.remove(UPGRADE);
    }
    // Its sender closes; so do we.
    if close {
        fields.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    // We pass trailers on, so we may say that they are welcome.
    fields.remove(TE);
    if trailers {
        fields.insert(TE, HeaderValue::from_static("trailers"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn left(fields: &[(&str, &str)], upgrade: bool) -> Vec<String> {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            );
        }
        between(&mut map, upgrade);
        let mut left: Vec<String> =
            map.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
        left.sort();
        left
    }

    #[test]
    fn what_belongs_to_one_connection_is_not_passed_on() {
        let all = [
            ("host", "orders"),
            ("connection", "keep-alive, X-Mine"),
            ("x-mine", "1"),
            ("keep-alive", "timeout=5"),
            ("te", "gzip, trailers"),
            ("transfer-encoding", "chunked"),
            ("trailer", "grpc-status"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABk"),
        ];
        assert_eq!(left(&all, false), ["host: orders", "te: trailers", "trailer: grpc-status"]);
        assert_eq!(left(&[("connection", "close")], false), ["connection: close"]);
        let socket = [("connection", "Upgrade"), ("upgrade", "websocket")];
        assert_eq!(left(&socket, true), ["connection: upgrade", "upgrade: websocket"]);
    }

    #[test]
    fn http_2_is_no_upgrade_that_is_passed_on() {
        let asks =
            |upgrade: &str| is_upgrade(&Request::builder().header("upgrade", upgrade).body(()).unwrap());
        assert!(asks("websocket") && !asks("h2c"));
        assert!(is_upgrade(&Request::builder().method("CONNECT").body(()).unwrap()));
        assert!(!is_upgrade(&Request::new(())));
    }
}
