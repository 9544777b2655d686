//! Links in mails that let somebody set a password: one for who has forgotten theirs, one for who is invited.
//! Each is a token that hangs on the password and the address in force when it was made, so that using it, or
//! changing either in another way, ends it.

use super::token::{Kind, Mark, Tokens};
use crate::app::{App, hmac_sha256};
use crate::caller::{Caller, Principal, Who};
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::users;
use crate::users::hashing::Hashing;
use crate::users::model::{Password, User};

/// How long a link for a forgotten password is good: an hour.
pub const RESET_SECONDS: i64 = 60 * 60;
/// How long an invitation is good: a week.
pub const INVITATION_SECONDS: i64 = 7 * 24 * 60 * 60;

/// A link's token.
///
/// # Errors
/// Only when it cannot be written.
pub fn issue(tokens: &Tokens, kind: Kind, user: &User) -> Result<String, Error> {
    let seconds = if kind == Kind::Invitation { INVITATION_SECONDS } else { RESET_SECONDS };
    tokens.issue(kind, user.id, Mark::Fingerprint(fingerprint(user)), seconds)
}

/// Tells two states of a user's password and address apart and says nothing about either.
fn fingerprint(user: &User) -> String {
    let state = format!("{}\0{}", user.email, user.password_hash.as_deref().unwrap_or_default());
    let digest = hmac_sha256(b"stockroom link 1", state.as_bytes());
    hex::encode(digest.get(..16).unwrap_or(&digest))
}

fn over() -> Error {
    Error::Unauthenticated("This link is not valid (any more): it was used, has expired, or is not whole.".to_owned())
}

fn check(user: Option<User>, mark: &Mark) -> Result<User, Error> {
    user.filter(|user| user.is_active && *mark == Mark::Fingerprint(fingerprint(user))).ok_or_else(over)
}

/// Whose link this is, while it is good.
///
/// # Errors
/// 401 for one that is unknown, used, expired or of another kind.
pub async fn who(app: &App, tokens: &Tokens, kind: Kind, token: &str) -> Result<User, Error> {
    opened(app, tokens, kind, token).await.map(|(user, _)| user)
}

/// Whose link this is, and what it hangs on.
async fn opened(app: &App, tokens: &Tokens, kind: Kind, token: &str) -> Result<(User, Mark), Error> {
    let read = tokens.read(kind, token).ok_or_else(over)?;
    let id = read.user;
    let user = app.look_up(move |conn| Ok(users::store::find(conn, id)?)).await?;
    Ok((check(user, &read.mark)?, read.mark))
}

/// Sets the password that the link is for; the link is used up.
///
/// # Errors
/// As [`who`]; 422 at `new_password`; 503.
pub async fn set_password(
    app: &App,
    hashing: &Hashing,
    tokens: &Tokens,
    caller: &Caller,
    (kind, token): (Kind, &str),
    new: &str,
) -> Result<User, Error> {
    let (user, mark) = opened(app, tokens, kind, token).await?;
    let mut errors = FieldErrors::default();
    let parsed = Password::parse(new, "new_password", &mut errors);
    let new = errors.into_result(|| parsed)?;
    let hash = hashing.hash(new.expose().to_owned()).await?;
    // Who holds the link is the user: so the audit log says.
    let principal = Principal {
        id: user.id,
        username: user.username.as_str().into(),
        role: user.role(),
        api_key_id: None,
        credentials_version: user.credentials_version,
        may_write: true,
    };
    let caller = Caller { who: Who::User(principal), ..caller.clone() };
    let id = user.id;
    app.write(&caller, move |tx| {
        // Again, and locked: of two uses at once only one may count.
        check(users::store::find_to_change(tx.conn, id)?, &mark)?;
        users::service::set_password(tx, id, &hash)
    })
    .await
}
