//! Which Redis, if any.

use std::fmt;

use super::database_url::mask_password;

/// The URL of a Redis, with its password.
#[derive(Clone, PartialEq, Eq)]
pub struct RedisUrl(String);

impl RedisUrl {
    /// `redis://[user:password@]host[:port][/number]`, or `unix:///path`.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn parse(text: &str) -> Result<Option<Self>, String> {
        if text.is_empty() {
            return Ok(None);
        }
        if text.starts_with("rediss://") {
            return Err("asks for TLS, which this binary is built without: go through a tunnel".to_owned());
        }
        let known = ["redis://", "unix://", "redis+unix://"].iter().any(|scheme| text.starts_with(scheme));
        if !known || redis::Client::open(text).is_err() {
            return Err("does not fit".to_owned());
        }
        Ok(Some(Self(text.to_owned())))
    }

    /// The whole of it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for RedisUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask_password(&self.0))
    }
}
