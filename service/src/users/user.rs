use serde::{Deserialize, Serialize};

/// A user, as stored and as answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct User {
    /// Positive, given by the database.
    pub id: i64,
    /// What the user is called.
    pub name: String,
    /// Unique among users.
    pub email: String,
}

/// An order of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Positive, given by the database.
    pub id: i64,
    /// What was ordered.
    pub item: String,
    /// Price in cents.
    pub total_cents: i64,
}

/// A user that does not exist yet; made by [`NewUser::try_new`] only, so it is always valid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewUser {
    pub(super) name: String,
    pub(super) email: String,
}

/// Which field of a new user is wrong, and what is expected of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {expected}")]
pub struct InvalidUser {
    /// Name of the field.
    pub field: &'static str,
    /// What it must be.
    pub expected: &'static str,
}

const NAME_CHARS: usize = 100;
/// The longest address that SMTP can carry (RFC 5321, 4.5.3.1.3).
const EMAIL_BYTES: usize = 254;

impl NewUser {
    /// Trims and checks both fields.
    pub fn try_new(name: &str, email: &str) -> Result<Self, InvalidUser> {
        let (name, email) = (name.trim(), email.trim());
        if name.is_empty() || name.chars().count() > NAME_CHARS || name.chars().any(char::is_control) {
            return Err(InvalidUser { field: "name", expected: "must have 1 to 100 printable characters" });
        }
        if !is_email(email) {
            return Err(InvalidUser { field: "email", expected: "must be an address such as a@example.com" });
        }
        Ok(Self { name: name.to_owned(), email: email.to_owned() })
    }
}

/// Refuses what can be no address. Whether one exists only a message to it can tell.
fn is_email(text: &str) -> bool {
    let forbidden = |c: char| c.is_whitespace() || c.is_control();
    text.len() <= EMAIL_BYTES
        && !text.contains(forbidden)
        && text
            .split_once('@')
            .is_some_and(|(local, domain)| !local.is_empty() && !domain.is_empty() && !domain.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_trimmed() {
        let user = NewUser::try_new(" Ada ", " ada@example.com ").unwrap();
        assert_eq!((user.name.as_str(), user.email.as_str()), ("Ada", "ada@example.com"));
    }

    #[test]
    fn the_wrong_field_is_named() {
        let field = |name: &str, email: &str| NewUser::try_new(name, email).unwrap_err().field;
        assert_eq!(field("", "a@example.com"), "name");
        assert_eq!(field(&"x".repeat(101), "a@example.com"), "name");
        assert_eq!(field("a\u{0}b", "a@example.com"), "name");
        for email in ["", "a", "@", "a@", "@b", "a@b@c", "a b@c", &format!("a@{}", "b".repeat(254))] {
            assert_eq!(field("Ada", email), "email", "{email}");
        }
    }
}
