//! How a password is kept: bcrypt over base64 of HMAC-SHA-256, so that every byte counts; bcrypt alone looks
//! at the first 72 and stops at a NUL. Hashing takes a core for up to half a second: `auth` has threads for it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::app::hmac_sha256;
use crate::error::Error;

/// Not a secret: it only keeps these digests apart from plain HMACs made elsewhere. A secret one would turn
/// every password worthless with the key.
const DOMAIN: &[u8] = b"stockroom password 1";

/// Hashes a password. Slow by design.
///
/// # Errors
/// When the cost is out of bcrypt's range.
pub fn hash(password: &str, cost: u32) -> Result<String, Error> {
    let hash = bcrypt::hash(digest(password), cost).map_err(|e| Error::Internal(format!("bcrypt: {e}")))?;
    log::debug!("hashed a password at cost {cost}");
    Ok(hash)
}

/// Whether the password is the hashed one. Slow by design.
pub fn verify(password: &str, hash: &str) -> bool {
    let verified = bcrypt::verify(digest(password), hash);
    if verified.is_ok() {
        // Who counts these sees that every refusal costs the same.
        log::debug!("hashed a password at cost {}", cost(hash).unwrap_or_default());
    }
    verified.unwrap_or(false)
}

/// The cost that a hash was made with.
pub fn cost(hash: &str) -> Option<u32> {
    hash.split('$').nth(2).and_then(|cost| cost.parse().ok())
}

/// 44 characters, below bcrypt's 72.
fn digest(password: &str) -> String {
    STANDARD.encode(hmac_sha256(DOMAIN, password.as_bytes()))
}
