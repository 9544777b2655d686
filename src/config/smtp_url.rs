//! `SMTP_URL`: by which server mail goes out.

use std::fmt;
use std::time::Duration;

use lettre::SmtpTransport;

use super::database_url::mask_password;

/// How long the server may take for each of its answers.
const PATIENCE: Duration = Duration::from_secs(15);

/// A mail server's address, checked; its password is shown nowhere.
#[derive(Clone)]
pub struct SmtpUrl(String);

impl SmtpUrl {
    /// Checks it: `smtp://` (with `?tls=required` or `?tls=opportunistic` for STARTTLS) or `smtps://`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let url = Self(text.to_owned());
        url.transport().map(|_| url)
    }

    /// A connection to it is made for each mail.
    ///
    /// # Errors
    /// When the URL is not one of a mail server.
    pub fn transport(&self) -> Result<SmtpTransport, String> {
        let builder = SmtpTransport::from_url(&self.0).map_err(|_| "is not the URL of a mail server".to_owned())?;
        Ok(builder.timeout(Some(PATIENCE)).build())
    }
}

impl fmt::Debug for SmtpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask_password(&self.0))
    }
}
