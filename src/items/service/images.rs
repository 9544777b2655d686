//! The images of an item: put on it, ordered and taken off, each as an update of the item. Whether somebody may use an
//! upload is for `uploads` to say, which knows items.

use std::collections::HashSet;

use diesel::result::{DatabaseErrorKind, Error as DbError};

use super::{visible, write_over};
use crate::changes::{Expected, Tx};
use crate::db::Conn;
use crate::error::Error;
use crate::items::model::images::{Image, Images};
use crate::items::model::{Act, Item, may};
use crate::items::store;

/// An item that the caller may edit, locked for it.
///
/// # Errors
/// 401, 403, 404.
pub fn to_edit(tx: &mut Tx<'_>, id: i64) -> Result<Item, Error> {
    let item = visible(store::find_to_change(tx.conn, id)?, tx.caller, id)?;
    may(tx.caller, Act::Edit, Some(&item))?;
    Ok(item)
}

/// Puts an image on an item that is locked for it, or to another place there; see [`Images::with`]. Where nothing
/// changes, nothing is written.
///
/// # Errors
/// 409 when the item has no room for it, or the upload is deleted at the same moment.
pub fn put(tx: &mut Tx<'_>, before: Item, image: Image, position: Option<usize>) -> Result<Item, Error> {
    let verb = if before.images.find(image.id).is_some() { "Moved" } else { "Added" };
    let summary = format!("{verb} image {:?} of item {}", image.filename, before.id);
    let images = before.images.with(image, position)?;
    write(tx, before, images, summary)
}

/// Takes an image off an item. The upload stays.
///
/// # Errors
/// 401, 403, 404 also for what is no image of it, 412, 428.
pub fn remove(tx: &mut Tx<'_>, id: i64, upload_id: i64, expected: &Expected) -> Result<Item, Error> {
    let before = to_edit(tx, id)?;
    let image = before.images.find(upload_id);
    let image = image.ok_or_else(|| Error::NotFound(format!("Item {id} has no image with id {upload_id}")))?;
    expected.check(before.version)?;
    let summary = format!("Removed image {:?} of item {id}", image.filename);
    let images = before.images.only(|image| image.id != upload_id);
    write(tx, before, images, summary)
}

fn write(tx: &mut Tx<'_>, before: Item, images: Images, summary: String) -> Result<Item, Error> {
    if images == before.images {
        return Ok(before);
    }
    let after = Item { images, ..before.clone() }.as_next(&before, tx.now);
    let item = write_over(tx, &before, after)?;
    tx.summarise(summary);
    Ok(item)
}

/// Keeps the index of which items use an upload.
///
/// # Errors
/// 409 when an upload was deleted at the same moment.
pub(super) fn index(conn: &mut Conn, id: i64, before: &Images, after: &Images) -> Result<(), Error> {
    if before == after {
        return Ok(());
    }
    let missing_in = |others: &Images, images: &Images| -> Vec<i64> {
        images.iter().map(|image| image.id).filter(|id| others.find(*id).is_none()).collect()
    };
    store::images::unlink(conn, id, &missing_in(after, before))?;
    store::images::link(conn, id, &missing_in(before, after)).map_err(|error| match error {
        DbError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _) => {
            let detail = "An image was deleted at the same moment. Look at the item again.".to_owned();
            Error::Conflict { detail, field: Some("images") }
        }
        error => error.into(),
    })
}

/// The images of these items whose uploads are deleted.
///
/// # Errors
/// Only the database's.
pub fn gone(conn: &mut Conn, items: &[Item]) -> Result<Vec<Image>, Error> {
    let mut ids: Vec<i64> = items.iter().flat_map(|item| item.images.iter()).map(|image| image.id).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut present = HashSet::new();
    // SQLite takes 32,766 parameters.
    for part in ids.chunks(1_000) {
        present.extend(store::images::uploads_of(conn, part)?);
    }
    let all = items.iter().flat_map(|item| item.images.iter());
    Ok(all.filter(|image| !present.contains(&image.id)).cloned().collect())
}

/// Takes those off states to come whose uploads are deleted.
///
/// # Errors
/// Only the database's.
pub(in crate::items) fn drop_gone(conn: &mut Conn, states: &mut [Item]) -> Result<(), Error> {
    let gone: HashSet<i64> = gone(conn, states)?.iter().map(|image| image.id).collect();
    for state in states.iter_mut().filter(|_| !gone.is_empty()) {
        state.images = state.images.only(|image| !gone.contains(&image.id));
    }
    Ok(())
}
