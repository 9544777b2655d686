//! Two-factor sign-in: besides the password, a code of an authenticator app (TOTP, RFC 6238), or, when that is
//! lost, a recovery code. A step of time is good once, a recovery code is good once.

mod recovery;
mod secret;

use serde::Serialize;

use super::store::second_factor::{self as store, SecondFactor};
use crate::app::{App, KeyUse};
use crate::caller::Caller;
use crate::changes::{Entity, Recorded, Tx};
use crate::db::Conn;
use crate::error::Error;
use crate::fields::{FieldErrors, Input};
use crate::limits::Key;
use crate::time::Timestamp;
use crate::users;
use crate::users::model::User;

pub use recovery::CODES;
pub use secret::Offer;
use secret::Secret;

/// A secret waits so long for its first right code, in seconds; afterwards there must be a new one.
const OFFERED: i64 = 60 * 60;
/// Longer than any code; what is longer is not looked at.
const LONGEST: usize = 100;

/// What somebody sends to prove that they have the second factor.
#[derive(Clone)]
pub enum Proof {
    /// Six digits of the app.
    Code(String),
    /// Anything else.
    Recovery(String),
}

impl Proof {
    /// Reads what was typed; nothing when that is nothing.
    pub fn read(typed: &str) -> Option<Self> {
        let bare: String = typed.chars().filter(|c| !c.is_whitespace()).take(LONGEST).collect();
        match bare.len() {
            0 => None,
            6 if bare.bytes().all(|b| b.is_ascii_digit()) => Some(Self::Code(bare)),
            _ => Some(Self::Recovery(bare)),
        }
    }

    /// The field `otp` of what was sent.
    ///
    /// # Errors
    /// 422 for one that is not text.
    pub fn sent(input: &Input) -> Result<Option<Self>, Error> {
        let mut errors = FieldErrors::default();
        let sent = input.verbatim("otp", &mut errors).value();
        errors.into_result(|| Some(sent.as_deref().and_then(Self::read)))
    }
}

/// How two-factor sign-in stands with somebody.
pub enum State {
    /// There is none.
    Off,
    /// A secret waits for its first right code.
    Offered(Offer),
    /// It is asked for.
    On {
        /// Since when.
        since: Timestamp,
        /// How many recovery codes are left.
        codes_left: i64,
    },
}

/// How it stands with a user.
///
/// # Errors
/// Only the database's.
pub fn state(conn: &mut Conn, app: &App, user: &User, now: Timestamp) -> Result<State, Error> {
    let Some(factor) = store::find(conn, user.id)? else { return Ok(State::Off) };
    if let Some(since) = factor.confirmed_at {
        return Ok(State::On { since, codes_left: store::count_codes(conn, user.id)? });
    }
    match offered(app, &factor, now) {
        Some(secret) => Ok(State::Offered(secret.offer(&app.config.app_name, &user.username)?)),
        None => Ok(State::Off),
    }
}

/// Whether a user's sign-in asks for it.
///
/// # Errors
/// Only the database's.
pub fn is_on(conn: &mut Conn, user_id: i64) -> Result<bool, Error> {
    Ok(store::find(conn, user_id)?.is_some_and(|factor| factor.confirmed_at.is_some()))
}

/// Asks at sign-in for the second factor, if there is one. In the transaction that begins whatever was signed
/// in for, so that a code that opened nothing was not used up.
///
/// # Errors
/// 401 when it is missing, wrong or used already.
pub fn demand(tx: &mut Tx<'_>, app: &App, user_id: i64, proof: Option<&Proof>) -> Result<(), Error> {
    let Some(factor) = store::find(tx.conn, user_id)?.filter(|factor| factor.confirmed_at.is_some()) else {
        return Ok(());
    };
    let proof = proof.ok_or(Error::SecondFactorRequired)?;
    if accept(tx, app, &factor, proof)? { Ok(()) } else { Err(Error::SecondFactorInvalid) }
}

/// Does what asks for the second factor, as an attempt that counts: whoever knows the password must not try
/// every code.
///
/// # Errors
/// What it says, and 429 after too many wrong codes.
pub async fn attempt<T>(
    app: &App,
    caller: &Caller,
    user_id: i64,
    work: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let attempt = app.limits.attempt(Key::Code(user_id), Key::of_address(caller.address)).await?;
    let done = work.await;
    match &done {
        Ok(_) => attempt.succeeded().await,
        Err(Error::SecondFactorInvalid | Error::Invalid(_)) => {}
        Err(_) => attempt.given_back().await,
    }
    done
}

/// Makes a secret that waits for its first right code.
///
/// # Errors
/// 404 for a user that does not exist, 409 when it is on already.
pub fn offer(tx: &mut Tx<'_>, app: &App, user_id: i64) -> Result<(), Error> {
    lock(tx, user_id)?;
    if is_on(tx.conn, user_id)? {
        return Err(on_already());
    }
    let sealed = Secret::generate().seal(&app.key(KeyUse::SecondFactors), user_id)?;
    store::put(tx.conn, user_id, &sealed, tx.now)?;
    Ok(())
}

/// Turns it on with the first right code: the user, whose other sessions have ended, and their recovery codes.
///
/// # Errors
/// 401 for who is not who they were when they gave their password, 409 when it is on already or nothing waits, 422 for a wrong code.
pub fn turn_on(tx: &mut Tx<'_>, app: &App, user: &User, proof: &Proof) -> Result<(User, Vec<String>), Error> {
    let user = lock_again(tx, user)?;
    let factor = store::find(tx.conn, user.id)?.ok_or_else(expired)?;
    if factor.confirmed_at.is_some() {
        return Err(on_already());
    }
    offered(app, &factor, tx.now).ok_or_else(expired)?;
    if !accept(tx, app, &factor, proof)? {
        return Err(wrong_code());
    }
    store::confirm(tx.conn, user.id, tx.now)?;
    let codes = give_codes(tx, user.id)?;
    let after = next_version(tx, &user, true)?;
    tx.updated(&Guarded { user: &user, two_factor: false }, &Guarded { user: &after, two_factor: true })?;
    tx.summarise(format!("Turned on two-factor sign-in of {}", after.username));
    Ok((after, codes))
}

/// New recovery codes; the old ones are worth nothing.
///
/// # Errors
/// 401 as in [`turn_on`], 409 when two-factor sign-in is off.
pub fn renew_codes(tx: &mut Tx<'_>, user: &User) -> Result<Vec<String>, Error> {
    let user = lock_again(tx, user)?;
    if !is_on(tx.conn, user.id)? {
        return Err(off_already());
    }
    let codes = give_codes(tx, user.id)?;
    let after = next_version(tx, &user, false)?;
    // That there are new ones is all that may be known.
    tx.updated(&user, &after)?;
    tx.summarise(format!("Made new recovery codes of {}", after.username));
    Ok(codes)
}

/// Turns it off for somebody who proves once more that they have it.
///
/// # Errors
/// 401 as in [`turn_on`], 409 when it is off, 422 for a wrong code.
pub fn turn_off_with(tx: &mut Tx<'_>, app: &App, user: &User, proof: &Proof) -> Result<(), Error> {
    lock_again(tx, user)?;
    match demand(tx, app, user.id, Some(proof)) {
        Err(Error::SecondFactorInvalid) => return Err(wrong_code()),
        other => other?,
    }
    if turn_off(tx, user.id)? { Ok(()) } else { Err(off_already()) }
}

/// Turns it off, for who has lost everything; whether it was on. Whether the caller may is for the door to say.
///
/// # Errors
/// 404 for a user that does not exist.
pub fn turn_off(tx: &mut Tx<'_>, user_id: i64) -> Result<bool, Error> {
    let user = lock(tx, user_id)?;
    let was_on = is_on(tx.conn, user_id)?;
    store::delete(tx.conn, user_id)?;
    if was_on {
        let after = next_version(tx, &user, false)?;
        tx.updated(&Guarded { user: &user, two_factor: true }, &Guarded { user: &after, two_factor: false })?;
        tx.summarise(format!("Turned off two-factor sign-in of {}", after.username));
    }
    Ok(was_on)
}

/// A user as the audit log sees them when their two-factor sign-in changes.
#[derive(Serialize)]
struct Guarded<'u> {
    #[serde(flatten)]
    user: &'u User,
    two_factor: bool,
}

impl Recorded for Guarded<'_> {
    const ENTITY: Entity = Entity::User;
    fn id(&self) -> i64 {
        self.user.id
    }
    fn version(&self) -> i64 {
        self.user.version
    }
}

/// The user first, always: who signs in writes them first too, and nobody waits for each other.
fn lock(tx: &mut Tx<'_>, user_id: i64) -> Result<User, Error> {
    users::store::find_to_change(tx.conn, user_id)?.ok_or_else(|| Error::missing("User", user_id))
}

/// The same for who gave their password a moment ago: what that was worth may have ended meanwhile.
fn lock_again(tx: &mut Tx<'_>, known: &User) -> Result<User, Error> {
    let user = lock(tx, known.id)?;
    if user.credentials_version != known.credentials_version {
        return Err(Error::Unauthenticated("Your account was changed meanwhile. Sign in again.".to_owned()));
    }
    Ok(user)
}

fn next_version(tx: &mut Tx<'_>, before: &User, ends_sessions: bool) -> Result<User, Error> {
    let after = User {
        credentials_version: before.credentials_version + i64::from(ends_sessions),
        version: before.version + 1,
        updated_at: tx.now,
        ..before.clone()
    };
    if users::store::update(tx.conn, &after)? == 0 {
        return Err(Error::Internal(format!("user {} changed under their lock", before.id)));
    }
    Ok(after)
}

fn give_codes(tx: &mut Tx<'_>, user_id: i64) -> Result<Vec<String>, Error> {
    let codes = recovery::generate();
    let hashes: Vec<String> = codes.iter().map(|code| recovery::hash(code)).collect();
    store::replace_codes(tx.conn, user_id, &hashes)?;
    Ok(codes)
}

/// Whether the proof is right; it is used up then.
fn accept(tx: &mut Tx<'_>, app: &App, factor: &SecondFactor, proof: &Proof) -> Result<bool, Error> {
    let id = factor.user_id;
    let code = match proof {
        Proof::Recovery(code) => return Ok(store::use_code(tx.conn, id, &recovery::hash(code), tx.now)? == 1),
        Proof::Code(code) => code,
    };
    let Some((secret, sealed_before)) = opened(app, factor) else { return Ok(false) };
    let Some(step) = secret.step_of(code, tx.now)? else { return Ok(false) };
    let right = store::use_step(tx.conn, id, step)? == 1;
    if right && sealed_before {
        store::reseal(tx.conn, id, &secret.seal(&app.key(KeyUse::SecondFactors), id)?)?;
    }
    Ok(right)
}

/// The secret, and whether the key before today's has sealed it.
fn opened(app: &App, factor: &SecondFactor) -> Option<(Secret, bool)> {
    let open = |key: [u8; 32]| Secret::open(&factor.secret, &key, factor.user_id);
    if let Some(secret) = open(app.key(KeyUse::SecondFactors)) {
        return Some((secret, false));
    }
    let secret = app.previous_key(KeyUse::SecondFactors).and_then(open);
    if secret.is_none() {
        // Recovery codes still open the door.
        log::error!(
            "the two-factor secret of user {} cannot be decrypted: is SECRET_KEY another one than before?",
            factor.user_id
        );
    }
    secret.map(|secret| (secret, true))
}

fn offered(app: &App, factor: &SecondFactor, now: Timestamp) -> Option<Secret> {
    let fresh = factor.created_at.plus_seconds(OFFERED) > now;
    if fresh { opened(app, factor).map(|(secret, _)| secret) } else { None }
}

fn on_already() -> Error {
    Error::Conflict { detail: "Two-factor sign-in is on already.".to_owned(), field: None }
}

fn off_already() -> Error {
    Error::Conflict { detail: "Two-factor sign-in is off already.".to_owned(), field: None }
}

fn expired() -> Error {
    Error::Conflict { detail: "This code to scan has expired. Begin again.".to_owned(), field: None }
}

fn wrong_code() -> Error {
    Error::field("code", "wrong", "is wrong or was used already; wait for the next one")
}
