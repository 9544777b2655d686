//! Secrets where they lie: AES-256-GCM under a key of the product, bound to whom they belong to, so that a copy in
//! another row opens nothing.

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rand::Rng as _;

use crate::error::Error;

/// The bytes of a nonce of AES-GCM.
const NONCE: usize = 12;

/// Encrypts a secret for whom it is `bound_to`.
///
/// # Errors
/// Never in practice.
pub fn seal(secret: &[u8], key: &[u8; 32], bound_to: &str) -> Result<String, Error> {
    let mut nonce = [0_u8; NONCE];
    rand::rng().fill_bytes(&mut nonce);
    let payload = Payload { msg: secret, aad: bound_to.as_bytes() };
    let sealed = Aes256Gcm::new(key.into())
        .encrypt(Nonce::from_slice(&nonce), payload)
        .map_err(|_| Error::Internal("a secret cannot be encrypted".to_owned()))?;
    Ok(STANDARD_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
}

/// Decrypts a secret, if this key sealed it for whom it is `bound_to`.
pub fn open(sealed: &str, key: &[u8; 32], bound_to: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD_NO_PAD.decode(sealed).ok()?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE)?;
    let payload = Payload { msg: sealed, aad: bound_to.as_bytes() };
    Aes256Gcm::new(key.into()).decrypt(Nonce::from_slice(nonce), payload).ok()
}
