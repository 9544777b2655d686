//! What can be asked of the audit log.

use crate::caller::Caller;
use crate::changes::Entity;
use crate::changes::history::{self, Entry};
use crate::db::Conn;
use crate::error::Error;
use crate::items;
use crate::items::model::Item;

/// An item and a part of its history, newest first.
///
/// # Errors
/// 404 for an item that the caller may not know of.
pub fn item_history(
    conn: &mut Conn,
    caller: &Caller,
    id: i64,
    skip: i64,
    limit: i64,
) -> Result<(Item, Vec<Entry>), Error> {
    let item = items::service::get(conn, caller, id)?;
    let entries = history::of(conn, Entity::Item, id, skip, limit)?;
    Ok((item, entries))
}
