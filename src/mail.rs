//! Sending mail: by an SMTP server, or, without one, into a folder of `.eml` files that any mail program opens.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::{Message, SmtpTransport, Transport as _};

use crate::config::Config;
use crate::jobs::Failure;

/// A mail, as text and as HTML.
#[derive(Debug, Clone)]
pub struct Mail {
    /// To whom: a name, if there is one, and an address.
    pub to: (Option<String>, String),
    /// Its subject.
    pub subject: String,
    /// For who reads text.
    pub text: String,
    /// For who reads HTML.
    pub html: String,
    /// Names the mail: the same when it is sent again, so that receivers can tell repeats.
    pub id: String,
}

/// By which way mail goes out.
#[derive(Clone)]
pub struct Mailer {
    from: Mailbox,
    way: Way,
}

#[derive(Clone)]
enum Way {
    Smtp(Arc<SmtpTransport>),
    Folder(PathBuf),
}

impl Mailer {
    /// As the settings say.
    ///
    /// # Errors
    /// When `SMTP_URL` cannot be used.
    pub fn new(config: &Config) -> Result<Self, String> {
        let way = match &config.smtp_url {
            Some(url) => Way::Smtp(Arc::new(url.transport()?)),
            None => Way::Folder(config.data_dir.join("mail")),
        };
        Ok(Self { from: config.mail_from.clone(), way })
    }

    /// Sends it, on a thread of its own: an SMTP server may take its time, and a server that is told to stop does
    /// not wait for it, as it would for a thread of the runtime's.
    ///
    /// # Errors
    /// When the mail was refused or the server was not reached.
    pub async fn send(&self, mail: Mail) -> Result<(), Failure> {
        let mailer = self.clone();
        let (reply, answer) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name("mail".to_owned())
            .spawn(move || drop(reply.send(mailer.send_now(&mail))))
            .map_err(|e| Failure::Retry(format!("no thread for mail: {e}")))?;
        answer.await.unwrap_or_else(|_| Err(Failure::Retry("sending ended without an answer".to_owned())))
    }

    fn send_now(&self, mail: &Mail) -> Result<(), Failure> {
        let message = self.message(mail).map_err(Failure::Park)?;
        match &self.way {
            Way::Smtp(server) => server.send(&message).map(drop).map_err(|error| {
                // 5xx: the server will say the same tomorrow (RFC 5321, 4.2.1).
                if error.is_permanent() { Failure::Park(error.to_string()) } else { Failure::Retry(told(&error)) }
            }),
            Way::Folder(folder) => {
                put(folder, &mail.id, &message.formatted()).map_err(|error| Failure::Retry(error.to_string()))
            }
        }
    }

    fn message(&self, mail: &Mail) -> Result<Message, String> {
        let (name, address) = &mail.to;
        let address = address.parse().map_err(|e| format!("the address cannot be written to: {e}"))?;
        // So that no machine answers it (RFC 3834, 5).
        let automatic = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned());
        let domain = self.from.email.domain();
        let mut message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(name.clone(), address))
            .subject(&mail.subject)
            .message_id(Some(format!("<{}@{domain}>", mail.id)))
            .multipart(
                MultiPart::alternative()
                    .singlepart(SinglePart::builder().header(ContentType::TEXT_PLAIN).body(mail.text.clone()))
                    .singlepart(SinglePart::builder().header(ContentType::TEXT_HTML).body(mail.html.clone())),
            )
            .map_err(|e| format!("the mail cannot be written: {e}"))?;
        message.headers_mut().insert_raw(automatic);
        Ok(message)
    }
}

/// The reason beneath the reason: "Connection error" alone helps nobody.
fn told(error: &lettre::transport::smtp::Error) -> String {
    use std::error::Error as _;
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// Whole or not at all, and on the disk when it is said to be sent.
fn put(folder: &Path, id: &str, bytes: &[u8]) -> std::io::Result<()> {
    fs::create_dir_all(folder)?;
    let draft = folder.join(format!("{id}.part"));
    let mut file = fs::File::create(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, folder.join(format!("{id}.eml")))?;
    fs::File::open(folder)?.sync_all()
}
