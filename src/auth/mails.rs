//! The mails about accounts: who is written to, what it says, and the link in it. Each is written when it is
//! sent, so that neither a token nor an address that has changed meanwhile lies in the queue.

use std::sync::Arc;

use askama::Template;
use serde::{Deserialize, Serialize};

use super::links;
use super::token::{Kind, Tokens};
use crate::app::{App, KeyUse, hmac_sha256};
use crate::error::Error;
use crate::jobs::worker::Worker;
use crate::jobs::{Failure, Job};
use crate::mail::{Mail, Mailer};
use crate::time::Timestamp;
use crate::users;
use crate::users::mails::{Invitation, PasswordChanged, Welcome};
use crate::users::model::User;

/// Somebody has forgotten the password of an account with this address, if there is one: recorded for every
/// address, so that asking takes as long and leaves as much for those that nobody has.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Forgot {
    /// As it was typed, lower-cased.
    pub email: String,
}

impl Job for Forgot {
    const KIND: &'static str = "mail.reset";
}

/// What is different from mail to mail; the rest is in `templates/mail/letter.*`.
struct Letter {
    subject: String,
    heading: String,
    /// Above the button.
    before: Vec<String>,
    button: &'static str,
    url: String,
    /// Beneath it.
    after: Vec<String>,
}

#[derive(Template)]
#[template(path = "mail/letter.txt")]
struct AsText<'l> {
    app_name: &'l str,
    email: &'l str,
    heading: &'l str,
    before: &'l [String],
    button: &'l str,
    url: &'l str,
    after: &'l [String],
}

#[derive(Template)]
#[template(path = "mail/letter.html")]
struct AsHtml<'l> {
    app_name: &'l str,
    email: &'l str,
    subject: &'l str,
    heading: &'l str,
    before: &'l [String],
    button: &'l str,
    url: &'l str,
    after: &'l [String],
}

/// Who writes the mails.
#[derive(Clone)]
struct Writer {
    app: Arc<App>,
    tokens: Tokens,
    mailer: Mailer,
}

/// Teaches a worker to send these mails.
pub fn handle(worker: Worker, app: &Arc<App>, tokens: &Tokens, mailer: &Mailer) -> Worker {
    let writer = Writer { app: Arc::clone(app), tokens: tokens.clone(), mailer: mailer.clone() };
    let [welcome, invitation, changed, reset] = [writer.clone(), writer.clone(), writer.clone(), writer];
    worker
        .handle(move |id, job: Welcome| {
            let writer = welcome.clone();
            async move { writer.to_user(id, job.user_id, Writer::welcome).await }
        })
        .handle(move |id, job: Invitation| {
            let writer = invitation.clone();
            async move { writer.to_user(id, job.user_id, move |w, user| w.invitation(user, &job.invited_by)).await }
        })
        .handle(move |id, job: PasswordChanged| {
            let writer = changed.clone();
            async move { writer.to_user(id, job.user_id, move |w, user| Ok(Some(w.changed(user, &job)))).await }
        })
        .handle(move |id, job: Forgot| {
            let writer = reset.clone();
            async move { writer.reset(id, job.email).await }
        })
}

impl Writer {
    /// Writes to a user, if they are still there and the letter still makes sense.
    async fn to_user(
        &self,
        job: i64,
        user: i64,
        write: impl FnOnce(&Self, &User) -> Result<Option<Letter>, Error>,
    ) -> Result<(), Failure> {
        let found = self.app.look_up(move |conn| Ok(users::store::find(conn, user)?)).await?;
        let Some(user) = found else { return Ok(()) };
        match write(self, &user)? {
            Some(letter) => self.send(job, &user, letter).await,
            None => Ok(()),
        }
    }

    async fn reset(&self, job: i64, email: String) -> Result<(), Failure> {
        let found = self.app.look_up(move |conn| Ok(users::store::find_by_email(conn, &email)?)).await?;
        let Some(user) = found.filter(|user| user.is_active) else { return Ok(()) };
        let letter = self.forgotten(&user)?;
        self.send(job, &user, letter).await
    }

    fn welcome(&self, user: &User) -> Result<Option<Letter>, Error> {
        let app = &self.app.config.app_name;
        Ok(Some(Letter {
            subject: format!("Welcome to {app}"),
            heading: format!("Welcome, {}", name_of(user)),
            before: vec![format!(
                "Your account at {app} is ready. You sign in with this e-mail address or with your username, {}.",
                user.username
            )],
            button: "Go to your account",
            url: format!("{}/admin", self.app.base_url()),
            after: vec![
                "You did not register? Then somebody typed your address by mistake. Tell an admin, or take the account \
                 over with “Forgotten your password?” on the sign-in page."
                    .to_owned(),
            ],
        }))
    }

    fn invitation(&self, user: &User, invited_by: &str) -> Result<Option<Letter>, Error> {
        if user.password_hash.is_some() || !user.is_active {
            return Ok(None);
        }
        let app = &self.app.config.app_name;
        Ok(Some(Letter {
            subject: format!("Invitation to {app}"),
            heading: format!("You are invited to {app}"),
            before: vec![format!(
                "{invited_by} has made an account for you. Your username is {}; choose a password and you are in.",
                user.username
            )],
            button: "Choose a password",
            url: self.link(Kind::Invitation, "invitation", user)?,
            after: vec![format!(
                "This works once, until {}. Afterwards ask an admin to invite you again.",
                until(links::INVITATION_SECONDS)
            )],
        }))
    }

    fn forgotten(&self, user: &User) -> Result<Letter, Error> {
        Ok(Letter {
            subject: format!("Reset your password for {}", self.app.config.app_name),
            heading: "Reset your password".to_owned(),
            before: vec![format!("Somebody, most likely you, asked to set another password for {}.", user.username)],
            button: "Set another password",
            url: self.link(Kind::Reset, "reset", user)?,
            after: vec![format!(
                "This works once, until {}. You did not ask? Then there is nothing to do: your password stays as it is.",
                until(links::RESET_SECONDS)
            )],
        })
    }

    fn changed(&self, user: &User, job: &PasswordChanged) -> Letter {
        let by = job.by.as_ref().map(|name| format!(" by {name}")).unwrap_or_default();
        let from = job.address.as_ref().map(|address| format!(", from the address {address}")).unwrap_or_default();
        Letter {
            subject: format!("Your password for {} was changed", self.app.config.app_name),
            heading: "Your password was changed".to_owned(),
            before: vec![
                format!(
                    "The password of {} was changed on {}{by}{from}. Every session and token that was there before has ended.",
                    user.username,
                    Timestamp(job.at).human()
                ),
                "It was not you? Then set another one at once, and tell an admin.".to_owned(),
            ],
            button: "Set another password",
            url: format!("{}/admin/forgotten", self.app.base_url()),
            after: Vec::new(),
        }
    }

    fn link(&self, kind: Kind, page: &str, user: &User) -> Result<String, Error> {
        let token = links::issue(&self.tokens, kind, user)?;
        Ok(format!("{}/admin/{page}?token={token}", self.app.base_url()))
    }

    /// The same at each attempt, and no other installation's.
    fn id_of(&self, job: i64, user: &User) -> String {
        let of = format!("{job} {} {}", user.id, user.created_at.0);
        let mark = hex::encode(hmac_sha256(&self.app.key(KeyUse::Tokens), of.as_bytes()));
        format!("stockroom-{job}-{}", mark.get(..12).unwrap_or(&mark))
    }

    async fn send(&self, job: i64, user: &User, letter: Letter) -> Result<(), Failure> {
        let (app_name, email) = (self.app.config.app_name.as_str(), user.email.as_str());
        let Letter { subject, heading, before, button, url, after } = letter;
        let unwritten = |e: askama::Error| Failure::Park(format!("the mail cannot be drawn: {e}"));
        let text =
            AsText { app_name, email, heading: &heading, before: &before, button, url: &url, after: &after }.render();
        let html = AsHtml {
            app_name,
            email,
            subject: &subject,
            heading: &heading,
            before: &before,
            button,
            url: &url,
            after: &after,
        }
        .render();
        let mail = Mail {
            to: (user.full_name.clone(), user.email.clone()),
            subject,
            text: text.map_err(unwritten)?,
            html: html.map_err(unwritten)?,
            id: self.id_of(job, user),
        };
        self.mailer.send(mail).await
    }
}

fn name_of(user: &User) -> &str {
    user.full_name.as_deref().unwrap_or(&user.username)
}

fn until(seconds: i64) -> String {
    Timestamp::now().plus_seconds(seconds).human()
}
