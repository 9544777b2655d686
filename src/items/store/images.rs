//! Which items use an upload: the index beside what the items' own rows have of their images.

use diesel::prelude::*;

use crate::db::schema::{item_images, items, uploads};
use crate::db::{Conn, MultiBackend};
use crate::items::model::Visible;

/// Notes that an item uses these uploads.
pub fn link(conn: &mut Conn, item_id: i64, upload_ids: &[i64]) -> QueryResult<()> {
    upload_ids.iter().try_for_each(|upload_id| {
        diesel::insert_into(item_images::table)
            .values((item_images::upload_id.eq(upload_id), item_images::item_id.eq(item_id)))
            .execute(conn)
            .map(drop)
    })
}

/// Notes that an item uses these uploads no more.
pub fn unlink(conn: &mut Conn, item_id: i64, upload_ids: &[i64]) -> QueryResult<()> {
    upload_ids.iter().try_for_each(|id| diesel::delete(item_images::table.find((id, item_id))).execute(conn).map(drop))
}

/// Which of these ids are uploads'.
pub fn uploads_of(conn: &mut Conn, ids: &[i64]) -> QueryResult<Vec<i64>> {
    uploads::table.filter(uploads::id.eq_any(ids)).select(uploads::id).load(conn)
}

/// Whether an upload is the image of an item that somebody may know of.
pub fn is_shown(conn: &mut Conn, upload_id: i64, visible: Visible) -> QueryResult<bool> {
    let mut using = item_images::table
        .inner_join(items::table)
        .filter(item_images::upload_id.eq(upload_id))
        .select(items::id)
        .into_boxed::<MultiBackend>();
    match visible {
        Visible::All => {}
        Visible::Active => using = using.filter(items::is_active.eq(true)),
        Visible::ActiveOrOf(owner) => using = using.filter(items::is_active.eq(true).or(items::owner_id.eq(owner))),
    }
    let first: Option<i64> = using.limit(1).get_result(conn).optional()?;
    Ok(first.is_some())
}
