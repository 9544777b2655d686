//! One attempt: a signed POST, its answer looked at and hardly read.

use std::time::{Duration, Instant};

use reqwest::{Client, redirect};
use rustls::{ClientConfig, RootCertStore};

use super::guard::{self, Resolver};
use super::model::{Delivery, Webhook};
use super::signature::{self, Keys};
use crate::time::Timestamp;

/// An answer must be there in this time, from the look-up of the name to the end of the body.
pub const PATIENCE: Duration = Duration::from_secs(15);
/// So many bytes of an answer are read,
const READ: usize = 64 * 1024;
/// and so many kept.
const KEPT: usize = 1_024;
/// So much of an error is kept, in characters.
const KEPT_OF_ERROR: usize = 300;

/// Who sends.
pub struct Sender {
    client: Client,
    keys: Keys,
    allow_private: bool,
}

/// What came of it.
#[derive(Debug)]
pub struct Attempt {
    /// The status code of the answer.
    pub status: Option<u16>,
    /// Why it failed; none for 2xx.
    pub error: Option<String>,
    /// The beginning of the answer's body.
    pub response: Option<String>,
    /// How long it took.
    pub took: Duration,
    /// When it began.
    pub at: Timestamp,
}

impl Sender {
    /// A client that follows no redirect, uses no proxy, and connects to what [`guard`] has looked at.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(keys: Keys, allow_private: bool) -> Result<Self, String> {
        let failed = |e: &dyn std::fmt::Display| format!("webhooks cannot be sent: {e}");
        let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| failed(&e))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let client = Client::builder()
            .tls_backend_preconfigured(tls)
            .dns_resolver(Resolver { allow_private })
            .redirect(redirect::Policy::none())
            .referer(false)
            .no_proxy()
            .timeout(PATIENCE)
            .pool_max_idle_per_host(1)
            .pool_idle_timeout(Duration::from_secs(20))
            .user_agent(concat!("Stockroom/", env!("CARGO_PKG_VERSION"), " (webhooks)"))
            .build()
            .map_err(|e| failed(&e))?;
        Ok(Self { client, keys, allow_private })
    }

    /// Tries once.
    pub async fn attempt(&self, webhook: &Webhook, delivery: &Delivery) -> Attempt {
        let (at, began) = (Timestamp::now(), Instant::now());
        let mut attempt = Attempt { status: None, error: None, response: None, took: Duration::ZERO, at };
        match self.send(webhook, delivery, at).await {
            Ok(mut answer) => {
                let status = answer.status();
                attempt.status = Some(status.as_u16());
                if !status.is_success() {
                    let redirect = if status.is_redirection() { "; redirects are not followed" } else { "" };
                    attempt.error = Some(format!("the endpoint answered {}{redirect}", status.as_u16()));
                }
                attempt.response = Some(beginning(&mut answer).await);
            }
            Err(reason) => attempt.error = Some(reason.chars().take(KEPT_OF_ERROR).collect()),
        }
        attempt.took = began.elapsed();
        attempt
    }

    async fn send(&self, webhook: &Webhook, delivery: &Delivery, now: Timestamp) -> Result<reqwest::Response, String> {
        let url = guard::check_url(&webhook.url, self.allow_private).map_err(|reason| format!("the URL {reason}"))?;
        let (id, body) = (&delivery.event_id, &delivery.payload);
        let (seconds, signature) = signature::header(webhook, &self.keys, id, now, body).ok_or(
            "the signing secret cannot be decrypted: SECRET_KEY is another one than before; rotate the secret",
        )?;
        let request = self
            .client
            .post(url)
            .header("content-type", "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature)
            .body(body.clone());
        request.send().await.map_err(|error| told(&error))
    }
}

/// Why there was no answer: the innermost cause, since what is around it repeats the URL.
fn told(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("there was no answer within {} seconds", PATIENCE.as_secs());
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    if error.is_connect() { format!("could not connect: {cause}") } else { format!("there was no answer: {cause}") }
}

/// The beginning of a body as text that both databases keep. What breaks off changes nothing: the status counts.
async fn beginning(answer: &mut reqwest::Response) -> String {
    let mut bytes: Vec<u8> = Vec::new();
    let mut read = 0;
    while let Ok(Some(chunk)) = answer.chunk().await {
        let room = KEPT.saturating_sub(bytes.len());
        bytes.extend(chunk.iter().take(room));
        read += chunk.len();
        if read >= READ {
            break;
        }
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let mut text: String = text.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect();
    while text.len() > KEPT {
        text.pop();
    }
    text
}
