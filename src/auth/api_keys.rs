//! API keys: what can be done with them, by whichever door. A key is its owner's: it never may more than they
//! may at the moment of its use, and it ends when it expires, when it is revoked, or with its owner.

pub mod list;

use super::model::api_key::{ApiKey, KeyInput, KeyText, NewKey, Scope, may_see};
use super::store::api_keys as store;
use crate::caller::Caller;
use crate::changes::{Expected, Tx};
use crate::db::Conn;
use crate::error::Error;
use crate::time::Timestamp;
use crate::users;

/// So many keys that have not ended a user may have.
const MOST_LIVE: i64 = 50;

/// Makes a key of the caller's own.
///
/// # Errors
/// 401, 403 for a scope that the caller does not have, 409 for who has too many, 422.
pub fn create(tx: &mut Tx<'_>, input: KeyInput) -> Result<NewKey, Error> {
    input.check_reserved(tx.caller)?;
    let fields = input.finish(tx.now)?;
    let user_id = tx.caller.user_id().ok_or_else(|| tx.caller.refusal("make API keys"))?;
    // Locked: of two who make the last one at once, only one does; and as they are now, not as they signed in.
    let owner = users::store::find_to_change(tx.conn, user_id)?.ok_or_else(|| Error::missing("User", user_id))?;
    let most = Scope::most_of(owner.role());
    if let Some(beyond) = fields.scopes.list().iter().find(|scope| **scope > most) {
        return Err(Error::Forbidden(format!(
            "You may not give the scope {}: your role is {}.",
            beyond.as_str(),
            owner.role()
        )));
    }
    if store::count_live(tx.conn, user_id, tx.now)? >= MOST_LIVE {
        return Err(Error::Conflict {
            detail: format!("You have {MOST_LIVE} API keys already, which is the most. Revoke one first."),
            field: None,
        });
    }
    let text = KeyText::random();
    let key = store::insert(tx.conn, user_id, &fields, &text, tx.now)?;
    tx.created(&key)?;
    tx.summarise(format!("Created API key {} of {}", key.name, owner.username));
    Ok(NewKey { key, text })
}

/// One key.
///
/// # Errors
/// 404, also for another's.
pub fn get(conn: &mut Conn, caller: &Caller, id: i64) -> Result<ApiKey, Error> {
    visible(store::find(conn, id)?, caller, id)
}

fn visible(found: Option<ApiKey>, caller: &Caller, id: i64) -> Result<ApiKey, Error> {
    found.filter(|key| may_see(caller, key)).ok_or_else(|| Error::missing("API key", id))
}

/// Ends a key: one's own, or for admins anybody's. One that was ended already stays so.
///
/// # Errors
/// 404, 412.
pub fn revoke(tx: &mut Tx<'_>, id: i64, expected: &Expected) -> Result<ApiKey, Error> {
    let before = visible(store::find_to_change(tx.conn, id)?, tx.caller, id)?;
    expected.check(before.version)?;
    if before.revoked_at.is_some() {
        return Ok(before);
    }
    let after = ended(tx, &before)?;
    tx.summarise(format!("Revoked API key {}", after.name));
    Ok(after)
}

/// Ends all keys of a user: one's own. How many there were.
///
/// # Errors
/// Only the database's.
pub fn revoke_all(tx: &mut Tx<'_>, user_id: i64) -> Result<usize, Error> {
    let live = store::live_to_change(tx.conn, user_id, tx.now)?;
    for key in &live {
        ended(tx, key)?;
    }
    tx.summarise(match live.as_slice() {
        [one] => format!("Revoked API key {}", one.name),
        many => format!("Revoked {} API keys", many.len()),
    });
    Ok(live.len())
}

/// The keys of a user that have not ended.
///
/// # Errors
/// Only the database's.
pub fn live(conn: &mut Conn, user_id: i64, now: Timestamp) -> Result<Vec<ApiKey>, Error> {
    Ok(store::live(conn, user_id, now)?)
}

fn ended(tx: &mut Tx<'_>, before: &ApiKey) -> Result<ApiKey, Error> {
    let after = ApiKey { revoked_at: Some(tx.now), version: before.version + 1, ..before.clone() };
    if store::revoke(tx.conn, &after)? == 0 {
        return Err(Error::Internal(format!("API key {} changed under its lock", before.id)));
    }
    tx.updated(before, &after)?;
    Ok(after)
}
