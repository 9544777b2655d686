//! Many new items at once: one statement for a thousand rows on PostgreSQL, where each is a way over the
//! network; a prepared statement each on SQLite, where that costs nothing.

use std::collections::HashMap;

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::items;
use crate::items::model::{Item, ItemFields};
use crate::time::Timestamp;

/// Adds items; they come back in the same order, with their ids.
pub fn insert(conn: &mut Conn, rows: Vec<ItemFields>, owner_id: i64, now: Timestamp) -> QueryResult<Vec<Item>> {
    match conn {
        Conn::Sqlite(_) => rows.into_iter().map(|fields| super::insert(conn, fields, owner_id, now)).collect(),
        Conn::Postgres(conn) => {
            let values: Vec<_> = rows
                .iter()
                .map(|fields| {
                    (
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
                    )
                })
                .collect();
            // One INSERT takes its rows from VALUES in their order, and so are the ids given out.
            let mut made: Vec<Item> =
                diesel::insert_into(items::table).values(values).returning(items::all_columns).get_results(conn)?;
            made.sort_by_key(|item| item.id);
            Ok(made)
        }
    }
}

/// Adds items as they are, ids and versions too.
pub fn restore(conn: &mut Conn, rows: &[Item]) -> QueryResult<()> {
    match conn {
        Conn::Sqlite(conn) => {
            rows.iter().try_for_each(|item| diesel::insert_into(items::table).values(item).execute(conn).map(drop))
        }
        Conn::Postgres(conn) => diesel::insert_into(items::table).values(rows).execute(conn).map(drop),
    }
}

/// Removes items; one statement each on SQLite, where it stays prepared.
pub fn delete(conn: &mut Conn, ids: &[i64]) -> QueryResult<()> {
    match conn {
        Conn::Sqlite(conn) => {
            ids.iter().try_for_each(|id| diesel::delete(items::table.find(id)).execute(conn).map(drop))
        }
        Conn::Postgres(conn) => diesel::delete(items::table.filter(items::id.eq_any(ids))).execute(conn).map(drop),
    }
}

/// The ids of the items that have these codes.
pub fn ids_by_sku(conn: &mut Conn, skus: &[&str]) -> QueryResult<HashMap<String, i64>> {
    let found: Vec<(Option<String>, i64)> =
        items::table.filter(items::sku.eq_any(skus)).select((items::sku, items::id)).load(conn)?;
    Ok(found.into_iter().filter_map(|(sku, id)| sku.map(|sku| (sku, id))).collect())
}

/// The items of these ids that still exist, by id; locked on PostgreSQL, for changing them.
pub fn find_to_change(conn: &mut Conn, ids: &[i64]) -> QueryResult<Vec<Item>> {
    let query = items::table.filter(items::id.eq_any(ids)).order(items::id).select(items::all_columns);
    match conn {
        Conn::Sqlite(conn) => query.load(conn),
        Conn::Postgres(conn) => query.for_update().load(conn),
    }
}

/// The items of these ids that still exist, by id.
pub fn find_all(conn: &mut Conn, ids: &[i64]) -> QueryResult<Vec<Item>> {
    items::table.filter(items::id.eq_any(ids)).order(items::id).select(items::all_columns).load(conn)
}

/// Some of the items that somebody owns, for changing them: locked on PostgreSQL.
pub fn owned_to_change(conn: &mut Conn, owner_id: i64, limit: i64) -> QueryResult<Vec<Item>> {
    let query =
        items::table.filter(items::owner_id.eq(owner_id)).order(items::id).limit(limit).select(items::all_columns);
    match conn {
        Conn::Sqlite(conn) => query.load(conn),
        Conn::Postgres(conn) => query.for_update().load(conn),
    }
}
