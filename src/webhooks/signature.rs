//! Signing after Standard Webhooks: `v1,` and the HMAC-SHA-256 of `id.timestamp.body`, in base64. The secret is kept
//! encrypted, since it has to be known to sign with it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rand::Rng as _;

use super::model::Webhook;
use crate::app::{App, KeyUse, hmac_sha256};
use crate::error::Error;
use crate::sealed;
use crate::time::Timestamp;

/// What a secret begins with where it is shown.
const PREFIX: &str = "whsec_";

/// A signing secret: 256 bits; the specification asks for 192 to 512.
pub struct Secret([u8; 32]);

impl Secret {
    /// A new one.
    pub fn generate() -> Self {
        let mut bytes = [0; 32];
        rand::rng().fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// As it is shown, once: `whsec_` and base64.
    pub fn shown(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(self.0))
    }

    /// Encrypted for this webhook.
    ///
    /// # Errors
    /// Never in practice.
    pub fn seal(&self, key: &[u8; 32], webhook_id: i64) -> Result<String, Error> {
        sealed::seal(&self.0, key, &bound_to(webhook_id))
    }

    fn open(sealed: &str, key: &[u8; 32], webhook_id: i64) -> Option<Self> {
        sealed::open(sealed, key, &bound_to(webhook_id))?.try_into().ok().map(Self)
    }

    fn sign(&self, id: &str, seconds: i64, body: &str) -> String {
        let signature = hmac_sha256(&self.0, format!("{id}.{seconds}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(signature))
    }
}

fn bound_to(webhook_id: i64) -> String {
    format!("webhook {webhook_id}")
}

/// The keys that secrets lie under: of `SECRET_KEY`, and of `SECRET_KEY_PREVIOUS`.
#[derive(Clone)]
pub struct Keys {
    /// Seals.
    pub now: [u8; 32],
    before: Option<[u8; 32]>,
}

impl Keys {
    /// The product's.
    pub fn of(app: &App) -> Self {
        Self { now: app.key(KeyUse::Webhooks), before: app.previous_key(KeyUse::Webhooks) }
    }

    /// Whether something may still lie under an earlier key.
    pub fn changed(&self) -> bool {
        self.before.is_some()
    }

    fn open(&self, sealed: &str, webhook_id: i64) -> Option<Secret> {
        let older = || self.before.as_ref().and_then(|key| Secret::open(sealed, key, webhook_id));
        Secret::open(sealed, &self.now, webhook_id).or_else(older)
    }

    /// The same secret under today's key, if it lay under the one before.
    ///
    /// # Errors
    /// Never in practice.
    pub fn reseal(&self, sealed: &str, webhook_id: i64) -> Result<Option<String>, Error> {
        if Secret::open(sealed, &self.now, webhook_id).is_some() {
            return Ok(None);
        }
        self.open(sealed, webhook_id).map(|secret| secret.seal(&self.now, webhook_id)).transpose()
    }
}

/// The header `webhook-signature`: of the secret, and for a day after a rotation of the one before too. `None` when
/// the secret cannot be decrypted.
pub fn header(webhook: &Webhook, keys: &Keys, id: &str, now: Timestamp, body: &str) -> Option<(i64, String)> {
    let seconds = now.0 / 1_000_000;
    let mut signatures = keys.open(&webhook.secret, webhook.id)?.sign(id, seconds, body);
    if webhook.previous_until.is_some_and(|until| until > now)
        && let Some(previous) = webhook.previous_secret.as_deref().and_then(|sealed| keys.open(sealed, webhook.id))
    {
        signatures.push(' ');
        signatures.push_str(&previous.sign(id, seconds, body));
    }
    Some((seconds, signatures))
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn a_signature_is_that_of_an_independent_implementation() {
        // Python: hmac.new(bytes(range(32)), b"msg_1.1700000000.{}", sha256)
        let bytes: [u8; 32] = std::array::from_fn(|n| n as u8);
        assert_eq!(Secret(bytes).sign("msg_1", 1_700_000_000, "{}"), "v1,fhksJF5ElKjlPoT/jtefCO5XjQPvhf7Dhf/8R1ad9yU=");
        assert_eq!(Secret(bytes).shown(), "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
    }
}
