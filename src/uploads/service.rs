//! What can be done with uploads, by whichever door.

pub mod images;

use diesel::result::{DatabaseErrorKind, Error as DbError};

use super::jobs::{MakeThumbnail, RemoveFile};
use super::model::{NewUpload, Upload, is_own, may_change, may_create};
use super::store;
use crate::caller::Caller;
use crate::changes::{Expected, Tx};
use crate::db::Conn;
use crate::error::Error;
use crate::items;
use crate::items::model::Visible;

/// So many uploads are given away at a time.
const AT_ONCE: i64 = 1_000;

/// One upload: one's own, and what is the image of an item that the caller may know of.
///
/// # Errors
/// 404, also for what the caller may not know of.
pub fn get(conn: &mut Conn, caller: &Caller, id: i64) -> Result<Upload, Error> {
    let found = store::find(conn, id)?;
    visible(conn, found, caller, id)
}

fn visible(conn: &mut Conn, found: Option<Upload>, caller: &Caller, id: i64) -> Result<Upload, Error> {
    match found {
        Some(upload) if is_own(caller, &upload) || items::store::images::is_shown(conn, id, Visible::to(caller))? => {
            Ok(upload)
        }
        _ => Err(Error::missing("Upload", id)),
    }
}

/// Whether there is room for so many bytes more; asked before they are read, and again when they are there.
///
/// # Errors
/// 409 when there is not.
pub fn check_quota(conn: &mut Conn, owner: i64, more: i64, quota: i64) -> Result<(), Error> {
    fits(store::bytes_of(conn, owner)?, more, quota)
}

fn fits(used: i64, more: i64, quota: i64) -> Result<(), Error> {
    if quota == 0 || used.saturating_add(more) <= quota {
        return Ok(());
    }
    let detail = format!(
        "Your uploads have {used} bytes, and with this one they would have more than the {quota} that you may keep. \
         Delete some first."
    );
    Err(Error::Conflict { detail, field: None })
}

/// Adds an upload that the caller owns, whose file is in the storage.
///
/// # Errors
/// 401, 403, 409 when there is no room for it.
pub fn create(tx: &mut Tx<'_>, new: &NewUpload, quota: i64) -> Result<Upload, Error> {
    may_create(tx.caller)?;
    let owner = tx.caller.user_id().ok_or_else(|| Error::Internal("an upload needs an owner".to_owned()))?;
    fits(store::lock_bytes_of(tx.conn, owner)?, new.size, quota)?;
    let upload = store::insert(tx.conn, new, owner, tx.now)?;
    tx.created(&upload)?;
    if upload.is_image() {
        tx.enqueue(&MakeThumbnail { upload_id: upload.id })?;
    }
    Ok(upload)
}

/// Removes an upload that is attached to nothing.
///
/// # Errors
/// 401, 403, 404, 409 while it is attached, 412.
pub fn delete(tx: &mut Tx<'_>, id: i64, expected: &Expected) -> Result<(), Error> {
    let found = store::find_to_change(tx.conn, id)?;
    let before = visible(tx.conn, found, tx.caller, id)?;
    may_change(tx.caller, &before)?;
    expected.check(before.version)?;
    remove(tx, &before)
}

/// Removes an upload that is locked for it. Its file goes when this is certain.
///
/// # Errors
/// 409 while it is attached.
pub(super) fn remove(tx: &mut Tx<'_>, before: &Upload) -> Result<(), Error> {
    match store::delete(tx.conn, before.id) {
        Err(DbError::DatabaseError(DatabaseErrorKind::ForeignKeyViolation, _)) => {
            let detail = format!("{:?} is the image of an item. Take it off the item first.", before.filename);
            return Err(Error::Conflict { detail, field: None });
        }
        other => other?,
    };
    tx.enqueue(&RemoveFile { key: before.key.clone() })?;
    tx.deleted(before)
}

/// Writes another owner over the present one.
///
/// # Errors
/// Only the database's.
pub(super) fn give(tx: &mut Tx<'_>, before: &Upload, owner_id: i64) -> Result<(), Error> {
    let after = Upload { owner_id, version: before.version + 1, ..before.clone() };
    if store::set_owner(tx.conn, &after)? == 0 {
        return Err(Error::Internal(format!("upload {} changed under its lock", before.id)));
    }
    tx.updated(before, &after)
}

/// Gives all uploads of one owner to another: before the first is deleted. They may be more than the other's quota.
///
/// # Errors
/// Only the database's.
pub fn reassign(tx: &mut Tx<'_>, from: i64, to: i64) -> Result<(), Error> {
    loop {
        let uploads = store::owned_to_change(tx.conn, from, AT_ONCE)?;
        if uploads.is_empty() {
            return Ok(());
        }
        for before in uploads {
            give(tx, &before, to)?;
        }
    }
}
