//! Attribute names of OpenTelemetry semantic conventions 1.44.0, as far as they are used here.
//!
//! Written out because the crate of constants follows other versions and brings thousands of them.

/// `service.name`
pub const SERVICE_NAME: &str = "service.name";
/// `service.version`
pub const SERVICE_VERSION: &str = "service.version";
/// `service.instance.id`
pub const SERVICE_INSTANCE_ID: &str = "service.instance.id";
/// `k8s.pod.name`
pub const K8S_POD_NAME: &str = "k8s.pod.name";
/// `k8s.namespace.name`
pub const K8S_NAMESPACE_NAME: &str = "k8s.namespace.name";
/// `k8s.node.name`
pub const K8S_NODE_NAME: &str = "k8s.node.name";

/// `http.request.method`
pub const HTTP_REQUEST_METHOD: &str = "http.request.method";
/// `http.request.method_original`, only beside the method `_OTHER`
pub const HTTP_REQUEST_METHOD_ORIGINAL: &str = "http.request.method_original";
/// `http.route`: the template, never the path
pub const HTTP_ROUTE: &str = "http.route";
/// `http.response.status_code`, an integer
pub const HTTP_RESPONSE_STATUS_CODE: &str = "http.response.status_code";
/// `url.path`
pub const URL_PATH: &str = "url.path";
/// `url.query`
pub const URL_QUERY: &str = "url.query";
/// `url.scheme`
pub const URL_SCHEME: &str = "url.scheme";
/// `url.full`, of a client span
pub const URL_FULL: &str = "url.full";
/// `user_agent.original`
pub const USER_AGENT_ORIGINAL: &str = "user_agent.original";
/// `client.address`
pub const CLIENT_ADDRESS: &str = "client.address";
/// `network.peer.address`
pub const NETWORK_PEER_ADDRESS: &str = "network.peer.address";
/// `network.peer.port`, an integer
pub const NETWORK_PEER_PORT: &str = "network.peer.port";
/// `network.protocol.version`: `1.0`, `1.1` or `2`
pub const NETWORK_PROTOCOL_VERSION: &str = "network.protocol.version";
/// `server.address`
pub const SERVER_ADDRESS: &str = "server.address";
/// `server.port`, an integer
pub const SERVER_PORT: &str = "server.port";
/// `error.type`: a status code, a SQLSTATE or a short word
pub const ERROR_TYPE: &str = "error.type";

/// `db.system.name`
pub const DB_SYSTEM_NAME: &str = "db.system.name";
/// `db.namespace`
pub const DB_NAMESPACE: &str = "db.namespace";
/// `db.collection.name`
pub const DB_COLLECTION_NAME: &str = "db.collection.name";
/// `db.operation.name`
pub const DB_OPERATION_NAME: &str = "db.operation.name";
/// `db.query.summary`
pub const DB_QUERY_SUMMARY: &str = "db.query.summary";
/// `db.query.text`, parameterised, never with values
pub const DB_QUERY_TEXT: &str = "db.query.text";
/// `db.response.status_code`: the SQLSTATE of a failure
pub const DB_RESPONSE_STATUS_CODE: &str = "db.response.status_code";
