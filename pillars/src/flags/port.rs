//! Ports that can be told to others.

/// Parses a port; refuses 0, which is another one at each start.
pub fn parse(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|port| *port > 0).ok_or_else(|| "expected a port from 1 to 65535".to_owned())
}
