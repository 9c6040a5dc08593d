//! DSSE, the envelope of in-toto: bytes, what they are, and who signed them (secure-systems-lab/dsse, protocol v1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{SigningKey, Statement, VerifyingKey};

/// What an in-toto statement is in an envelope.
const IN_TOTO: &str = "application/vnd.in-toto+json";

/// A signed statement, of the shape that cosign makes and reads (tried with cosign 2.6.5: docs/attestation.md).
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Envelope {
    payload_type: String,
    payload: String,
    signatures: Vec<Signature>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Signature {
    #[serde(default)]
    keyid: String,
    sig: String,
}

impl Envelope {
    /// Signs a statement.
    ///
    /// # Errors
    /// What the key says.
    pub fn sign(statement: &Statement, key: &SigningKey) -> Result<Self, String> {
        let body = serde_json::to_vec(statement).map_err(|e| e.to_string())?;
        let sig = STANDARD.encode(key.sign(&encoded(IN_TOTO, &body))?);
        let signatures = vec![Signature { keyid: String::new(), sig }];
        Ok(Self { payload_type: IN_TOTO.to_owned(), payload: STANDARD.encode(body), signatures })
    }

    /// The statement, if one of the signatures is of this key.
    ///
    /// # Errors
    /// What is wrong with it; nothing of what it says is believed before.
    pub fn open(&self, key: &VerifyingKey) -> Result<Statement, String> {
        if self.payload_type != IN_TOTO {
            return Err(format!("it holds {}, expected {IN_TOTO}", self.payload_type));
        }
        let body = STANDARD.decode(&self.payload).map_err(|e| format!("its payload: {e}"))?;
        let signed = encoded(&self.payload_type, &body);
        let is_ours = |signature: &Signature| {
            STANDARD.decode(&signature.sig).is_ok_and(|signature| key.verifies(&signed, &signature))
        };
        if !self.signatures.iter().any(is_ours) {
            return Err("it is not signed by this key".into());
        }
        serde_json::from_slice(&body).map_err(|e| format!("its statement: {e}"))
    }
}

/// What is signed: the type and the body with their lengths, so that neither can be taken for the other (PAE).
fn encoded(kind: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("DSSEv1 {} {kind} {} ", kind.len(), body.len());
    [head.as_bytes(), body].concat()
}

#[cfg(test)]
mod tests {
    use super::encoded;

    #[test]
    fn what_is_signed_is_that_of_the_specification() {
        let example = encoded("http://example.com/HelloWorld", b"hello world");
        assert_eq!(example, b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
    }
}
