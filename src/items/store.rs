//! All SQL of items: one item here, lists in `store/page.rs`, the full-text index in `store/words.rs`, many at
//! once in `store/batch.rs`, which items use an upload in `store/images.rs`.

pub mod batch;
pub mod images;
pub mod page;
pub mod words;

use diesel::prelude::*;

use super::model::{Images, Item, ItemFields, Known, Owner};
use crate::db::Conn;
use crate::db::schema::{items, users};
use crate::time::Timestamp;

/// The counter of all items.
pub const TOTAL: &str = "items";
/// The counter of active items.
pub const ACTIVE: &str = "items:active";

/// One item. The hottest look-up there is: on the connection itself, since `MultiConnection` builds the SQL
/// anew each time (2.8 µs of a read of 4).
pub fn find(conn: &mut Conn, id: i64) -> QueryResult<Option<Item>> {
    let query = items::table.find(id).select(items::all_columns);
    match conn {
        Conn::Sqlite(conn) => query.get_result(conn).optional(),
        Conn::Postgres(conn) => query.get_result(conn).optional(),
    }
}

/// One item that will be written: locked on PostgreSQL; SQLite has one writer.
pub fn find_to_change(conn: &mut Conn, id: i64) -> QueryResult<Option<Item>> {
    let query = items::table.find(id).select(items::all_columns);
    match conn {
        Conn::Sqlite(conn) => query.get_result(conn).optional(),
        Conn::Postgres(conn) => query.for_update().get_result(conn).optional(),
    }
}

/// Adds an item.
pub fn insert(conn: &mut Conn, fields: ItemFields, owner_id: i64, now: Timestamp) -> QueryResult<Item> {
    let statement = diesel::insert_into(items::table)
        .values((
            items::sku.eq(&fields.sku),
            items::name.eq(&fields.name),
            items::description.eq(&fields.description),
            items::price.eq(fields.price.0),
            items::currency.eq(&fields.currency),
            items::tax_rate.eq(fields.tax_rate.0),
            items::is_active.eq(fields.is_active),
            items::category_id.eq(fields.category_id),
            items::owner_id.eq(owner_id),
            items::version.eq(1_i64),
            items::created_at.eq(now.0),
            items::updated_at.eq(now.0),
        ))
        .returning(items::id);
    // On the connection itself: see `find`.
    let id = match conn {
        Conn::Sqlite(conn) => statement.get_result(conn)?,
        Conn::Postgres(conn) => statement.get_result(conn)?,
    };
    Ok(Item {
        id,
        sku: fields.sku,
        name: fields.name,
        description: fields.description,
        price: fields.price.0,
        currency: fields.currency,
        tax_rate: fields.tax_rate.0,
        is_active: fields.is_active,
        category_id: fields.category_id,
        owner_id,
        version: 1,
        created_at: now,
        updated_at: now,
        images: Images::default(),
    })
}

/// Writes an item back, as its next version; 0 rows when somebody was faster.
pub fn update(conn: &mut Conn, item: &Item) -> QueryResult<usize> {
    diesel::update(items::table.find(item.id).filter(items::version.eq(item.version - 1)))
        .set((
            items::sku.eq(&item.sku),
            items::name.eq(&item.name),
            items::description.eq(&item.description),
            items::price.eq(item.price),
            items::currency.eq(&item.currency),
            items::tax_rate.eq(item.tax_rate),
            items::is_active.eq(item.is_active),
            items::category_id.eq(item.category_id),
            items::owner_id.eq(item.owner_id),
            items::version.eq(item.version),
            items::updated_at.eq(item.updated_at.0),
            items::images.eq(&item.images),
        ))
        .execute(conn)
}

/// The counter of somebody's inactive items.
pub fn hidden_of(owner_id: i64) -> String {
    format!("items:hidden:owner:{owner_id}")
}

/// How many items somebody owns.
pub fn count_of(conn: &mut Conn, owner_id: i64) -> QueryResult<i64> {
    items::table.filter(items::owner_id.eq(owner_id)).count().get_result(conn)
}

/// Which of these ids are users'.
pub fn owners_of(conn: &mut Conn, ids: &[i64]) -> QueryResult<Vec<i64>> {
    users::table.filter(users::id.eq_any(ids)).select(users::id).load(conn)
}

/// The owners of these ids.
pub fn owners(conn: &mut Conn, ids: &[i64]) -> QueryResult<Vec<Owner>> {
    let known = (users::email, users::full_name, users::role, users::is_active);
    let found: Vec<(i64, String, Known)> =
        users::table.filter(users::id.eq_any(ids)).select((users::id, users::username, known)).load(conn)?;
    Ok(found.into_iter().map(|(id, username, known)| Owner { id, username, known: Some(known) }).collect())
}

/// The name of a user: an owner's.
pub fn owner_name(conn: &mut Conn, owner_id: i64) -> QueryResult<Option<String>> {
    users::table.find(owner_id).select(users::username).get_result(conn).optional()
}
