//! What can be done with items, by whichever door.

pub mod images;
pub mod many;

use diesel::result::Error as DbError;
use serde_json::{Map, Value};

use super::model::{Act, Images, Item, ItemFields, ItemInput, Visible, may};
use super::shown::{Related, Shape};
use super::store::{self, batch, words};
use crate::caller::Caller;
use crate::categories;
use crate::categories::store::{active_items_in, items_in};
use crate::changes::{Entity, Expected, Tx, history};
use crate::db::{Conn, unique};
use crate::error::Error;
use crate::fields::Mode;
use crate::time::Timestamp;

/// One item.
///
/// # Errors
/// 404, also for what the caller may not know of.
pub fn get(conn: &mut Conn, caller: &Caller, id: i64) -> Result<Item, Error> {
    visible(store::find(conn, id)?, caller, id)
}

/// One item, and what is shown beside it.
///
/// # Errors
/// As [`get`].
pub fn get_shown(conn: &mut Conn, caller: &Caller, id: i64, shape: Shape) -> Result<(Shape, Item, Related), Error> {
    let item = get(conn, caller, id)?;
    let related = shape.related(conn, std::slice::from_ref(&item))?;
    Ok((shape, item, related))
}

/// The fields of an item as they were at a version.
///
/// # Errors
/// Only the database's.
pub fn at_version(conn: &mut Conn, item: &Item, version: i64) -> Result<Map<String, Value>, Error> {
    Ok(history::at_version(conn, item, version)?)
}

/// Who changed an item last, and when.
///
/// # Errors
/// Only the database's.
pub fn last_change(conn: &mut Conn, id: i64) -> Result<Option<(String, Timestamp)>, Error> {
    let last = history::of(conn, Entity::Item, id, 0, 1)?.into_iter().next();
    Ok(last.map(|entry| (entry.actor, entry.at)))
}

fn visible(found: Option<Item>, caller: &Caller, id: i64) -> Result<Item, Error> {
    found.filter(|item| Visible::to(caller).has(item)).ok_or_else(|| Error::missing("Item", id))
}

/// Adds an item that the caller owns.
///
/// # Errors
/// 401, 403, 409 for a code that is taken, 422.
pub fn create(tx: &mut Tx<'_>, mut input: ItemInput) -> Result<Item, Error> {
    may(tx.caller, Act::Create, None)?;
    input.check_reserved(tx.caller, None)?;
    let owner = tx.caller.user_id().ok_or_else(|| Error::Internal("an item needs an owner".to_owned()))?;
    check_category(tx.conn, &mut input)?;
    let fields = input.onto(None)?;
    let item = store::insert(tx.conn, fields, owner, tx.now).map_err(taken)?;
    added(tx, &item)?;
    let of_item = words::of(&item);
    let id = item.id;
    tx.at_commit(move |conn| Ok(words::put(conn, id, &of_item)?));
    Ok(item)
}

/// Adds many items whose categories exist: an import's.
///
/// # Errors
/// 409 when a code is taken; then none was added.
pub fn create_many(tx: &mut Tx<'_>, rows: Vec<ItemFields>, owner: i64) -> Result<Vec<Item>, Error> {
    may(tx.caller, Act::Create, None)?;
    let items = batch::insert(tx.conn, rows, owner, tx.now).map_err(taken)?;
    for item in &items {
        added(tx, item)?;
    }
    let indexed = items.clone();
    tx.at_commit(move |conn| Ok(words::put_all(conn, &indexed)?));
    Ok(items)
}

fn added(tx: &mut Tx<'_>, item: &Item) -> Result<(), Error> {
    tx.created(item)?;
    count(tx, item, 1);
    Ok(())
}

/// Changes an item.
///
/// # Errors
/// 401, 403, 404, 409 for a code that is taken, 412, 422.
pub fn update(tx: &mut Tx<'_>, id: i64, mut input: ItemInput, mode: Mode, expected: &Expected) -> Result<Item, Error> {
    let before = visible(store::find_to_change(tx.conn, id)?, tx.caller, id)?;
    may(tx.caller, Act::Edit, Some(&before))?;
    input.check_reserved(tx.caller, Some(&before))?;
    expected.check(before.version)?;
    check_category(tx.conn, &mut input)?;
    let fields = input.onto((mode == Mode::Patch).then_some(&before))?;
    write(tx, &before, fields)
}

/// Writes fields over an item that is locked for it.
///
/// # Errors
/// 409 for a code that is taken.
fn write(tx: &mut Tx<'_>, before: &Item, fields: ItemFields) -> Result<Item, Error> {
    let after = fields.onto(before, tx.now);
    write_over(tx, before, after)
}

/// Writes the next version of an item that is locked for it.
///
/// # Errors
/// 409 for a code that is taken, and for an image that was deleted at the same moment.
pub(super) fn write_over(tx: &mut Tx<'_>, before: &Item, after: Item) -> Result<Item, Error> {
    if store::update(tx.conn, &after).map_err(taken)? == 0 {
        return Err(Error::Internal(format!("item {} changed under its lock", before.id)));
    }
    images::index(tx.conn, after.id, &before.images, &after.images)?;
    tx.updated(before, &after)?;
    let counted = |item: &Item| (item.is_active, item.category_id, item.owner_id);
    if counted(before) != counted(&after) {
        count(tx, before, -1);
        count(tx, &after, 1);
    }
    if !words::same(before, &after) {
        let (id, of_item) = (after.id, words::of(&after));
        tx.at_commit(move |conn| {
            words::remove(conn, id)?;
            Ok(words::put(conn, id, &of_item)?)
        });
    }
    Ok(after)
}

/// Writes a new version that equals an earlier one, but for its owner.
///
/// # Errors
/// 401, 403, 404, 409 for a code that is taken, 412, 422 for a version that there never was.
pub fn revert(tx: &mut Tx<'_>, id: i64, version: i64, expected: &Expected) -> Result<Item, Error> {
    let before = visible(store::find_to_change(tx.conn, id)?, tx.caller, id)?;
    may(tx.caller, Act::Edit, Some(&before))?;
    expected.check(before.version)?;
    if !(1..=before.version).contains(&version) {
        let message = format!("must be from 1 to {}, which is the present one", before.version);
        return Err(Error::field("version", "range", message));
    }
    let state: Item = crate::changes::undo::read(at_version(tx.conn, &before, version)?)?;
    if !categories::store::exists(tx.conn, state.category_id)? {
        let detail = format!("Version {version} was in category {}, which there is no more.", state.category_id);
        return Err(Error::Conflict { detail, field: Some("category_id") });
    }
    if let Some(image) = images::gone(tx.conn, std::slice::from_ref(&state))?.first() {
        let detail = format!("Version {version} had the image {:?}, which was deleted since.", image.filename);
        return Err(Error::Conflict { detail, field: Some("images") });
    }
    let state = Item { owner_id: before.owner_id, ..state }.as_next(&before, tx.now);
    let item = write_over(tx, &before, state)?;
    tx.summarise(format!("Reverted item {id} to version {version}"));
    Ok(item)
}

/// Removes an item.
///
/// # Errors
/// 401, 403, 404, 412.
pub fn delete(tx: &mut Tx<'_>, id: i64, expected: &Expected) -> Result<Item, Error> {
    let before = visible(store::find_to_change(tx.conn, id)?, tx.caller, id)?;
    may(tx.caller, Act::Delete, Some(&before))?;
    expected.check(before.version)?;
    remove_all(tx, std::slice::from_ref(&before))?;
    Ok(before)
}

/// Removes items that are locked for it.
pub(super) fn remove_all(tx: &mut Tx<'_>, items: &[Item]) -> Result<(), Error> {
    let ids: Vec<i64> = items.iter().map(|item| item.id).collect();
    batch::delete(tx.conn, &ids)?;
    for item in items {
        tx.deleted(item)?;
        count(tx, item, -1);
    }
    tx.at_commit(move |conn| Ok(words::remove_all(conn, &ids)?));
    Ok(())
}

/// Makes items again that were deleted, under their old ids.
///
/// # Errors
/// 409 for a code that is taken.
pub(super) fn put_back(tx: &mut Tx<'_>, mut items: Vec<Item>) -> Result<(), Error> {
    for item in &mut items {
        item.updated_at = tx.now;
    }
    batch::restore(tx.conn, &items).map_err(taken)?;
    for item in &items {
        images::index(tx.conn, item.id, &Images::default(), &item.images)?;
        added(tx, item)?;
    }
    tx.at_commit(move |conn| Ok(words::put_all(conn, &items)?));
    Ok(())
}

/// Gives all items of one owner to another: before the first is deleted.
///
/// # Errors
/// Only the database's.
pub fn reassign(tx: &mut Tx<'_>, from: i64, to: i64) -> Result<usize, Error> {
    let mut moved = 0;
    loop {
        let items = batch::owned_to_change(tx.conn, from, 1_000)?;
        if items.is_empty() {
            return Ok(moved);
        }
        moved += items.len();
        for before in items {
            let after = Item { owner_id: to, ..before.clone() }.as_next(&before, tx.now);
            write_over(tx, &before, after)?;
        }
    }
}

/// What can be done to many items at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bulk {
    /// Make them visible to all.
    Activate,
    /// Hide them.
    Deactivate,
    /// Remove them.
    Delete,
}

/// Does the same to many items, in one changeset. Those that are gone, or are so already, are passed over.
///
/// # Errors
/// 401, 403; then nothing was done.
pub fn bulk(tx: &mut Tx<'_>, ids: &[i64], act: Bulk) -> Result<usize, Error> {
    let items = batch::find_to_change(tx.conn, ids)?;
    let mut done = 0;
    let visible = Visible::to(tx.caller);
    let items: Vec<Item> = items.into_iter().filter(|item| visible.has(item)).collect();
    if act == Bulk::Delete {
        items.iter().try_for_each(|item| may(tx.caller, Act::Delete, Some(item)))?;
        remove_all(tx, &items)?;
    }
    for item in &items {
        match act {
            Bulk::Delete => {}
            Bulk::Activate | Bulk::Deactivate => {
                may(tx.caller, Act::Edit, Some(item))?;
                let active = act == Bulk::Activate;
                if item.is_active == active {
                    continue;
                }
                let mut fields = ItemInput::default().onto(Some(item))?;
                fields.is_active = active;
                write(tx, item, fields)?;
            }
        }
        done += 1;
    }
    let verb = match act {
        Bulk::Activate => "Activated",
        Bulk::Deactivate => "Deactivated",
        Bulk::Delete => "Deleted",
    };
    tx.summarise(format!("{verb} {}", Entity::Item.counted(done)));
    Ok(done)
}

/// Notes a category that does not exist among the input's other mistakes.
fn check_category(conn: &mut Conn, input: &mut ItemInput) -> Result<(), Error> {
    if let Some(id) = input.category_id()
        && !categories::store::exists(conn, id)?
    {
        input.refuse("category_id", "unknown", format!("must be the id of a category; {id} is none"));
    }
    Ok(())
}

/// Keeps the counters that lists show.
fn count(tx: &mut Tx<'_>, item: &Item, by: i64) {
    tx.count(store::TOTAL.to_owned(), by);
    tx.count(items_in(item.category_id), by);
    if item.is_active {
        tx.count(store::ACTIVE.to_owned(), by);
        tx.count(active_items_in(item.category_id), by);
    } else {
        tx.count(store::hidden_of(item.owner_id), by);
    }
}

/// A unique violation as the client sees it.
pub fn taken(error: DbError) -> Error {
    unique::or_else(error, &[("items_sku_unique", "items.sku", "sku", "An item with this SKU exists already")])
}
