/// A statement and how semantic conventions call it. The text has parameters only, so it may stand in a span.
pub(super) struct Statement {
    pub(super) operation: &'static str,
    pub(super) collection: &'static str,
    /// Operation and collection; also the name of the span.
    pub(super) summary: &'static str,
    pub(super) text: &'static str,
}

/// The operation that changes something.
pub(super) const INSERT: &str = "INSERT";

pub(super) const FIND_USER: Statement = Statement {
    operation: "SELECT",
    collection: "users",
    summary: "SELECT users",
    text: "SELECT id, name, email FROM users WHERE id = $1",
};

pub(super) const LIST_USERS: Statement = Statement {
    operation: "SELECT",
    collection: "users",
    summary: "SELECT users",
    text: "SELECT id, name, email FROM users WHERE id > $1 ORDER BY id LIMIT $2",
};

pub(super) const INSERT_USER: Statement = Statement {
    operation: INSERT,
    collection: "users",
    summary: "INSERT users",
    text: "INSERT INTO users (name, email) VALUES ($1, $2) RETURNING id, name, email",
};

/// No row: no such user. A row without order: a user without orders.
pub(super) const LIST_ORDERS: Statement = Statement {
    operation: "SELECT",
    collection: "orders",
    summary: "SELECT orders",
    text: "SELECT o.id, o.item, o.total_cents FROM users u LEFT JOIN orders o ON o.user_id = u.id \
           WHERE u.id = $1 ORDER BY o.id LIMIT 100",
};
