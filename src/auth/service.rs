//! Signing in, one's own password, and the first admin; one's own sessions are in `service/sessions.rs`.

pub mod sessions;

use rand::Rng as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::mails::Forgot;
use super::model::SignIn;
use crate::app::App;
use crate::caller::{Caller, Role, Who};
use crate::changes::Tx;
use crate::db::Conn;
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::limits::Key;
use crate::users;
use crate::users::hashing::Hashing;
use crate::users::model::{NewUser, Password, User, UserFields, UserInput, may_set};

/// The longest address that a user can have, in characters.
const LONGEST_EMAIL: usize = 254;

/// Who signs in with this name and password. An unknown name costs as much time as a wrong password and is
/// answered alike.
///
/// # Errors
/// 401 for a wrong name or password, 400 for the right ones of a user that is not active, 429 after too many
/// wrong ones, 503.
pub async fn sign_in(app: &App, hashing: &Hashing, caller: &Caller, with: SignIn) -> Result<SignedIn, Error> {
    let login = with.login;
    let unknown = app.limits.text(&login.trim().to_lowercase());
    let user = app.look_up(move |conn| Ok(users::store::find_by_login(conn, &login)?)).await?;
    // One account, by whichever of its names; a name that nobody has counts like an account.
    let account = user.as_ref().map_or(unknown, |user| Key::User(user.id));
    let hash = user.as_ref().and_then(|u| u.password_hash.clone());
    let (right, renewed) = verify(app, hashing, caller, account, with.password, hash).await?;
    let Some(user) = user.filter(|_| right) else {
        return Err(Error::Unauthenticated("The e-mail address or username, or the password, is wrong.".to_owned()));
    };
    if !user.is_active {
        return Err(Error::Malformed("This account is not active. Ask an admin to activate it.".to_owned()));
    }
    Ok(SignedIn { user, renewed_hash: renewed })
}

/// Whether a password is an account's, as an attempt that counts; its new hash, when the kept one was cheaper
/// than today's.
///
/// # Errors
/// 429 while the account or the address has to wait, 503.
async fn verify(
    app: &App,
    hashing: &Hashing,
    caller: &Caller,
    account: Key,
    password: String,
    hash: Option<String>,
) -> Result<(bool, Option<String>), Error> {
    let attempt = app.limits.attempt(account, Key::of_address(caller.address)).await?;
    match hashing.verify(password, hash).await {
        Ok((right, renewed)) => {
            if right {
                attempt.succeeded().await;
            }
            Ok((right, renewed))
        }
        Err(error) => {
            attempt.given_back().await;
            Err(error)
        }
    }
}

/// Somebody whose password was right.
pub struct SignedIn {
    /// Who it is.
    pub user: User,
    /// The password's new hash, when the kept one was cheaper than today's.
    pub renewed_hash: Option<String>,
}

/// Notes a sign-in, in the transaction that begins whatever was signed in for.
///
/// # Errors
/// Only the database's.
pub fn note(tx: &mut Tx<'_>, signed_in: &SignedIn) -> Result<(), Error> {
    Ok(users::store::signed_in(tx.conn, signed_in.user.id, tx.now, signed_in.renewed_hash.as_deref())?)
}

/// Gives the caller another password, once they have shown that they know the one in force. Every session,
/// token and refresh family of theirs ends with it; a page that goes on takes the `credentials_version` of the
/// user that comes back.
///
/// # Errors
/// 401 for nobody and for whose credentials ended meanwhile, 404 when they were removed, 422 at
/// `current_password` and `new_password`, 429 after too many wrong ones, 503.
pub async fn change_password(
    app: &App,
    hashing: &Hashing,
    caller: &Caller,
    current: String,
    new: String,
) -> Result<User, Error> {
    let id = caller.user_id().ok_or_else(|| caller.refusal("change a password here"))?;
    let mut errors = FieldErrors::default();
    if current.is_empty() {
        errors.add("current_password", "required", "is required");
    }
    if new.is_empty() {
        errors.add("new_password", "required", "is required");
    } else if new == current {
        errors.add("new_password", "unchanged", "must be another than the current one");
    }
    let parsed = Password::parse(&new, "new_password", &mut errors);
    let new = errors.into_result(|| parsed)?;
    let user = app.look_up(move |conn| Ok(users::store::find(conn, id)?)).await?;
    let user = user.ok_or_else(|| Error::missing("User", id))?;
    let (right, _) = verify(app, hashing, caller, Key::User(id), current, user.password_hash.clone()).await?;
    if !right {
        return Err(Error::field("current_password", "wrong", "is not your password"));
    }
    let hash = hashing.hash(new.expose().to_owned()).await?;
    app.write(caller, move |tx| {
        let now = users::store::find_to_change(tx.conn, id)?.ok_or_else(|| Error::missing("User", id))?;
        // Another one may have been set while this one was hashed: what the caller came in by has ended.
        if now.credentials_version != user.credentials_version {
            return Err(Error::Unauthenticated(
                "Your password or role was changed meanwhile. Sign in again.".to_owned(),
            ));
        }
        users::service::set_password(tx, id, &hash)
    })
    .await
}

/// Keeps the password's new hash, if there is one, when the password alone has not signed anybody in yet.
///
/// # Errors
/// Only the database's.
pub fn renew_hash(tx: &mut Tx<'_>, signed_in: &SignedIn) -> Result<(), Error> {
    if let Some(hash) = &signed_in.renewed_hash {
        users::store::renew_hash(tx.conn, signed_in.user.id, hash)?;
    }
    Ok(())
}

/// Who is signed in, once they have shown again that they know their password.
///
/// # Errors
/// 401 for nobody, 404 for a user that is not there any more, 422 for a wrong password, 429 after too many, 503.
pub async fn reauthenticate(app: &App, hashing: &Hashing, caller: &Caller, password: String) -> Result<User, Error> {
    let id = caller.user_id().ok_or_else(|| caller.refusal("do this here"))?;
    let user = app.look_up(move |conn| Ok(users::store::find(conn, id)?)).await?;
    let user = user.ok_or_else(|| Error::missing("User", id))?;
    let (right, _) = verify(app, hashing, caller, Key::User(id), password, user.password_hash.clone()).await?;
    if right { Ok(user) } else { Err(Error::field("password", "wrong", "is not your password")) }
}

/// Opens the set-up page, if there is no user yet: the token for its link.
///
/// # Errors
/// Only the database's.
pub fn open_setup(app: &App, conn: &mut Conn) -> Result<Option<String>, Error> {
    if users::store::any(conn)? {
        return Ok(None);
    }
    let mut bytes = [0_u8; 24];
    rand::rng().fill_bytes(&mut bytes);
    let token = hex::encode(bytes);
    app.set_setup_token(Some(Sha256::digest(token.as_bytes()).into()));
    Ok(Some(token))
}

/// That this token opens the set-up page.
///
/// # Errors
/// 404, as if there were no such page.
pub fn check_setup(app: &App, token: &str) -> Result<(), Error> {
    let sent: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    match app.setup_token() {
        Some(kept) if bool::from(kept.ct_eq(&sent)) => Ok(()),
        _ => Err(Error::NotFound(
            "This link is not valid (any more). Start the server again to get a new one, or sign in.".to_owned(),
        )),
    }
}

/// Makes the first admin; the link is used up.
///
/// # Errors
/// 404 when there is a user already.
pub async fn set_up(app: &App, hashing: &Hashing, caller: &Caller, input: UserInput) -> Result<User, Error> {
    let new = hashing.prepare(input).await?;
    let new = NewUser { fields: UserFields { role: Role::Admin, ..new.fields }, ..new };
    let made = app.write(caller, move |tx| users::service::create_first_admin(tx, &new)).await;
    if matches!(made, Ok(_) | Err(Error::NotFound(_))) {
        app.set_setup_token(None);
    }
    made
}

/// Reads who asks to be made a user, with the role `user`.
///
/// # Errors
/// 403 for what one may not set, 422, 503.
pub async fn prepare(hashing: &Hashing, caller: &Caller, input: UserInput) -> Result<NewUser, Error> {
    // Whoever asks: who registers is nobody yet, and becomes a `user`.
    may_set(&Caller { who: Who::Anonymous, ..caller.clone() }, &input, None)?;
    hashing.prepare(input).await
}

/// Asks for a link to set another password. What is recorded, and how long it takes, is the same whether the
/// address is an account's or not: who has forgotten is looked up when the mail is written.
///
/// # Errors
/// Only the database's.
pub async fn forgot(app: &App, caller: &Caller, email: &str) -> Result<(), Error> {
    let mut email = email.trim().to_lowercase();
    // Nobody's is longer; what is recorded must not be as long as somebody likes.
    if email.chars().count() > LONGEST_EMAIL {
        email.clear();
    }
    app.write(caller, move |tx| tx.enqueue(&Forgot { email })).await
}
