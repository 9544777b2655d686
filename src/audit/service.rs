//! What can be asked of the audit log, and undoing.

pub mod undo;

use super::model::{Change, Changeset, Counted};
use super::store;
use crate::caller::Caller;
use crate::changes::history::{self, Entry};
use crate::changes::{Entity, Expected, Tx};
use crate::db::Conn;
use crate::error::Error;
use crate::items;
use crate::items::model::Item;

pub use undo::{Choice, revert};

/// An item and a part of its history, newest first.
///
/// # Errors
/// 404 for an item that the caller may not know of, 403 for one that they may see but not change.
pub fn item_history(
    conn: &mut Conn,
    caller: &Caller,
    id: i64,
    skip: i64,
    limit: i64,
) -> Result<(Item, Vec<Entry>), Error> {
    let item = items::service::get(conn, caller, id)?;
    items::model::may(caller, items::model::Act::Edit, Some(&item))?;
    let entries = history::of(conn, Entity::Item, id, skip, limit)?;
    Ok((item, entries))
}

/// Writes a new version of an item that equals an earlier one, but for its owner.
///
/// # Errors
/// 401, 403, 404, 409, 412, 422 for a version that there never was.
pub fn revert_item(tx: &mut Tx<'_>, id: i64, version: i64, expected: &Expected) -> Result<Item, Error> {
    items::service::revert(tx, id, version, expected)
}

/// Changesets with how much they changed and what undid them: two statements however many there are.
///
/// # Errors
/// Only the database's.
pub fn counted(conn: &mut Conn, rows: Vec<Changeset>) -> Result<Vec<Counted>, Error> {
    let ids: Vec<i64> = rows.iter().map(|changeset| changeset.id).collect();
    let counts = store::change_counts(conn, &ids)?;
    let undone = store::undone_by(conn, &ids)?;
    let with = |changeset: Changeset| Counted {
        change_count: counts.get(&changeset.id).copied().unwrap_or_default(),
        undone_by_id: undone.get(&changeset.id).copied(),
        changeset,
    };
    Ok(rows.into_iter().map(with).collect())
}

/// One changeset and a part of its changes.
///
/// # Errors
/// 404.
pub fn get(conn: &mut Conn, id: i64, skip: i64, limit: i64) -> Result<(Counted, Vec<Change>), Error> {
    let found = store::find(conn, id)?.ok_or_else(|| Error::missing("Changeset", id))?;
    let changeset = counted(conn, vec![found])?.into_iter().next().ok_or_else(|| Error::missing("Changeset", id))?;
    let changes = store::changes(conn, id, skip, limit)?.into_iter().map(Change::from).collect();
    Ok((changeset, changes))
}
