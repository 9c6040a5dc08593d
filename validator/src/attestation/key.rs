//! Keys of ECDSA on P-256 with SHA-256, the kind that cosign makes.

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, UnparsedPublicKey,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivatePkcs8KeyDer, SubjectPublicKeyInfoDer};

/// What stands before the point in the SubjectPublicKeyInfo of a key on P-256 (RFC 5480, 2).
const P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a, 0x86,
    0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// A private key.
pub struct SigningKey(EcdsaKeyPair);

/// A public key.
pub struct VerifyingKey(UnparsedPublicKey<Vec<u8>>);

impl SigningKey {
    /// A key in PKCS#8, as PEM and not encrypted.
    ///
    /// # Errors
    /// What is no such key; nothing of it is told.
    pub fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let wrong = || {
            "expected a private key on P-256 in PKCS#8, as PEM (`-----BEGIN PRIVATE KEY-----`), not encrypted"
                .to_owned()
        };
        let der = PrivatePkcs8KeyDer::from_pem_slice(pem).map_err(|_| wrong())?;
        let (how, random) = (&ECDSA_P256_SHA256_ASN1_SIGNING, SystemRandom::new());
        EcdsaKeyPair::from_pkcs8(how, der.secret_pkcs8_der(), &random).map(Self).map_err(|_| wrong())
    }

    pub(super) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, String> {
        let signature =
            self.0.sign(&SystemRandom::new(), message).map_err(|_| "the key cannot sign".to_owned())?;
        Ok(signature.as_ref().to_vec())
    }
}

impl VerifyingKey {
    /// A key as PEM (`cosign.pub`).
    ///
    /// # Errors
    /// What is no such key.
    pub fn from_pem(pem: &[u8]) -> Result<Self, String> {
        let wrong = || "expected a public key on P-256, as PEM (`-----BEGIN PUBLIC KEY-----`)".to_owned();
        let der = SubjectPublicKeyInfoDer::from_pem_slice(pem).map_err(|_| wrong())?;
        let point = der.strip_prefix(&P256).filter(|point| point.len() == 65).ok_or_else(wrong)?;
        Ok(Self(UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point.to_vec())))
    }

    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.0.verify(message, signature).is_ok()
    }
}
