//! One's own sessions: which there are, and ending them.

use crate::app::App;
use crate::auth::sessions::{credentials_of, is_public_id, public_id};
use crate::auth::store;
use crate::caller::Caller;
use crate::db::Conn;
use crate::error::Error;
use crate::time::Timestamp;
use crate::users;
use crate::users::model::User;

/// So many are listed at most; those last used come first.
const LISTED: i64 = 100;

/// A session as its user sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Names it in forms; opens nothing.
    pub id: String,
    /// The browser that it began in, as it named itself.
    pub device: Option<String>,
    /// The address that it began at.
    pub address: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
}

/// The sessions of a user that still open something, last used first.
///
/// # Errors
/// Only the database's.
pub fn of(conn: &mut Conn, user: &User, now: Timestamp) -> Result<Vec<Listed>, Error> {
    let alive = store::of_user(conn, user.id, now, LISTED)?
        .into_iter()
        // One from before the last change of password or role opens nothing, and goes when it is next used.
        .filter(|session| credentials_of(&session.state) == Some(user.credentials_version));
    let listed = alive.map(|session| Listed {
        id: public_id(&session.key_hash),
        device: session.device,
        address: session.address,
        created_at: session.created_at,
        seen_at: session.seen_at,
    });
    Ok(listed.collect())
}

/// Ends one of the caller's own sessions, at once. One that has ended already is no mistake.
///
/// # Errors
/// 401 for nobody, 404 for what names no session.
pub async fn end(app: &App, caller: &Caller, id: String) -> Result<(), Error> {
    let user_id = caller.user_id().ok_or_else(|| caller.refusal("end sessions here"))?;
    if !is_public_id(&id) {
        return Err(Error::NotFound("There is no such session.".to_owned()));
    }
    app.write(caller, move |tx| Ok(store::delete_of(tx.conn, user_id, &id).map(drop)?)).await
}

/// Ends everything that the caller is signed in with but the session of this public id: other sessions, access
/// tokens, refresh tokens. The session that stays must take over the `credentials_version` of the user that
/// comes back.
///
/// # Errors
/// 401 for nobody, 404 when they were removed meanwhile.
pub async fn end_others(app: &App, caller: &Caller, own: String) -> Result<User, Error> {
    let user_id = caller.user_id().ok_or_else(|| caller.refusal("end sessions here"))?;
    app.write(caller, move |tx| {
        let user = users::service::end_sessions(tx, user_id)?;
        store::delete_others(tx.conn, user_id, &own)?;
        Ok(user)
    })
    .await
}
