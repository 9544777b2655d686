//! All SQL of uploads.

use diesel::dsl::IntoBoxed;
use diesel::prelude::*;

use super::model::{NewUpload, Upload};
use crate::db::schema::{uploads, users};
use crate::db::{Conn, MultiBackend};
use crate::time::Timestamp;
use crate::web::sorted::Span;

/// By what a list can be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By id, which is by age.
    Id,
    /// By name.
    Filename,
    /// By size.
    Size,
}

/// One upload.
pub fn find(conn: &mut Conn, id: i64) -> QueryResult<Option<Upload>> {
    uploads::table.find(id).select(uploads::all_columns).get_result(conn).optional()
}

/// One upload that will be written: locked on PostgreSQL; SQLite has one writer.
pub fn find_to_change(conn: &mut Conn, id: i64) -> QueryResult<Option<Upload>> {
    let query = uploads::table.find(id).select(uploads::all_columns);
    match conn {
        Conn::Postgres(conn) => query.for_update().get_result(conn).optional(),
        Conn::Sqlite(conn) => query.get_result(conn).optional(),
    }
}

/// One upload that something will refer to: on PostgreSQL nobody deletes or changes it until then.
pub fn find_to_use(conn: &mut Conn, id: i64) -> QueryResult<Option<Upload>> {
    let query = uploads::table.find(id).select(uploads::all_columns);
    match conn {
        Conn::Postgres(conn) => query.for_share().get_result(conn).optional(),
        Conn::Sqlite(conn) => query.get_result(conn).optional(),
    }
}

/// The uploads of these ids that exist; locked on PostgreSQL if they will be written.
pub fn find_all(conn: &mut Conn, ids: &[i64], lock: bool) -> QueryResult<Vec<Upload>> {
    let query = uploads::table.filter(uploads::id.eq_any(ids)).order(uploads::id).select(uploads::all_columns);
    match conn {
        Conn::Postgres(conn) if lock => query.for_update().load(conn),
        conn => query.load(conn),
    }
}

/// Some of the uploads that somebody owns, for changing them: locked on PostgreSQL.
pub fn owned_to_change(conn: &mut Conn, owner_id: i64, limit: i64) -> QueryResult<Vec<Upload>> {
    let query = uploads::table
        .filter(uploads::owner_id.eq(owner_id))
        .order(uploads::id)
        .limit(limit)
        .select(uploads::all_columns);
    match conn {
        Conn::Postgres(conn) => query.for_update().load(conn),
        Conn::Sqlite(conn) => query.load(conn),
    }
}

/// How many uploads somebody owns.
pub fn count_of(conn: &mut Conn, owner_id: i64) -> QueryResult<i64> {
    uploads::table.filter(uploads::owner_id.eq(owner_id)).count().get_result(conn)
}

/// Which of these ids are users'.
pub fn owners_of(conn: &mut Conn, ids: &[i64]) -> QueryResult<Vec<i64>> {
    users::table.filter(users::id.eq_any(ids)).select(users::id).load(conn)
}

/// How many bytes somebody's uploads have. On PostgreSQL others who add to them wait until the commit; SQLite has
/// one writer.
pub fn lock_bytes_of(conn: &mut Conn, owner_id: i64) -> QueryResult<i64> {
    if let Conn::Postgres(conn) = conn {
        let _locked: Option<i64> =
            users::table.find(owner_id).select(users::id).for_no_key_update().get_result(conn).optional()?;
    }
    bytes_of(conn, owner_id)
}

/// How many bytes somebody's uploads have: from the index alone.
pub fn bytes_of(conn: &mut Conn, owner_id: i64) -> QueryResult<i64> {
    // A sum is a NUMERIC on PostgreSQL.
    let sum = diesel::dsl::sql::<diesel::sql_types::BigInt>("CAST(coalesce(sum(size), 0) AS BIGINT)");
    uploads::table.filter(uploads::owner_id.eq(owner_id)).select(sum).get_result(conn)
}

/// Adds an upload.
pub fn insert(conn: &mut Conn, new: &NewUpload, owner_id: i64, now: Timestamp) -> QueryResult<Upload> {
    diesel::insert_into(uploads::table)
        .values((
            uploads::key.eq(&new.key),
            uploads::filename.eq(&new.filename),
            uploads::content_type.eq(new.format.media_type()),
            uploads::size.eq(new.size),
            uploads::sha256.eq(&new.sha256),
            uploads::owner_id.eq(owner_id),
            uploads::version.eq(1_i64),
            uploads::created_at.eq(now.0),
        ))
        .returning(uploads::all_columns)
        .get_result(conn)
}

/// Gives an upload to another owner, as its next version.
pub fn set_owner(conn: &mut Conn, upload: &Upload) -> QueryResult<usize> {
    diesel::update(uploads::table.find(upload.id).filter(uploads::version.eq(upload.version - 1)))
        .set((uploads::owner_id.eq(upload.owner_id), uploads::version.eq(upload.version)))
        .execute(conn)
}

/// Notes what kind of small picture there is; empty for none. No edit, so no new version.
pub fn set_thumbnail(conn: &mut Conn, id: i64, media_type: &str) -> QueryResult<usize> {
    diesel::update(uploads::table.find(id)).set(uploads::thumbnail.eq(media_type)).execute(conn)
}

/// Removes an upload that is attached to nothing.
pub fn delete(conn: &mut Conn, id: i64) -> QueryResult<usize> {
    diesel::delete(uploads::table.find(id)).execute(conn)
}

/// Which of these names in the storage are known.
pub fn known(conn: &mut Conn, keys: &[String]) -> QueryResult<Vec<String>> {
    uploads::table.filter(uploads::key.eq_any(keys)).select(uploads::key).load(conn)
}

fn of_owner<'q>(owner_id: Option<i64>) -> IntoBoxed<'q, uploads::table, MultiBackend> {
    let query = uploads::table.into_boxed();
    match owner_id {
        Some(owner) => query.filter(uploads::owner_id.eq(owner)),
        None => query,
    }
}

/// A page of uploads: somebody's, or all.
pub fn list(conn: &mut Conn, owner_id: Option<i64>, page: &Span<Order>) -> QueryResult<Vec<Upload>> {
    let mut query = of_owner(owner_id);
    if let Some((key, id)) = page.after.clone() {
        let number = key.parse::<i64>().unwrap_or_default();
        query =
            match (page.order, page.descending) {
                (Order::Filename, false) => query
                    .filter(uploads::filename.gt(key.clone()).or(uploads::filename.eq(key).and(uploads::id.gt(id)))),
                (Order::Filename, true) => query
                    .filter(uploads::filename.lt(key.clone()).or(uploads::filename.eq(key).and(uploads::id.lt(id)))),
                (Order::Size, false) => {
                    query.filter(uploads::size.gt(number).or(uploads::size.eq(number).and(uploads::id.gt(id))))
                }
                (Order::Size, true) => {
                    query.filter(uploads::size.lt(number).or(uploads::size.eq(number).and(uploads::id.lt(id))))
                }
                (Order::Id, false) => query.filter(uploads::id.gt(id)),
                (Order::Id, true) => query.filter(uploads::id.lt(id)),
            };
    }
    query = match (page.order, page.descending) {
        (Order::Filename, false) => query.order((uploads::filename.asc(), uploads::id.asc())),
        (Order::Filename, true) => query.order((uploads::filename.desc(), uploads::id.desc())),
        (Order::Size, false) => query.order((uploads::size.asc(), uploads::id.asc())),
        (Order::Size, true) => query.order((uploads::size.desc(), uploads::id.desc())),
        (Order::Id, false) => query.order(uploads::id.asc()),
        (Order::Id, true) => query.order(uploads::id.desc()),
    };
    query.limit(page.limit).offset(page.skip).load(conn)
}

/// How many uploads a list has.
pub fn count(conn: &mut Conn, owner_id: Option<i64>) -> QueryResult<i64> {
    of_owner(owner_id).count().get_result(conn)
}
