//! All SQL of categories.

use std::collections::HashMap;

use diesel::prelude::*;

use super::model::{Category, CategoryFields, name_key};
use crate::db::Conn;
use crate::db::portable::contains as pattern;
use crate::db::schema::{categories, counters};
use crate::time::Timestamp;
use crate::web::sorted::Span;

/// The counter of a category's items.
pub fn items_in(id: i64) -> String {
    format!("items:category:{id}")
}

/// The counter of a category's active items.
pub fn active_items_in(id: i64) -> String {
    format!("items:active:category:{id}")
}

/// The counter of all categories.
pub const TOTAL: &str = "categories";

/// By what a list can be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By name, without regard to case.
    Name,
    /// By age.
    CreatedAt,
    /// By id.
    Id,
}

/// One category.
pub fn find(conn: &mut Conn, id: i64) -> QueryResult<Option<Category>> {
    categories::table.find(id).select(categories::all_columns).get_result(conn).optional()
}

/// One category that will be written: locked on PostgreSQL; SQLite has one writer.
pub fn find_to_change(conn: &mut Conn, id: i64) -> QueryResult<Option<Category>> {
    let query = categories::table.find(id).select(categories::all_columns);
    match conn {
        Conn::Postgres(conn) => query.for_update().get_result(conn).optional(),
        Conn::Sqlite(conn) => query.get_result(conn).optional(),
    }
}

/// Whether there is such a category; kept from being deleted until the commit on PostgreSQL.
pub fn exists(conn: &mut Conn, id: i64) -> QueryResult<bool> {
    let query = categories::table.find(id).select(categories::id);
    let found: Option<i64> = match conn {
        Conn::Postgres(conn) => query.for_key_share().get_result(conn).optional()?,
        Conn::Sqlite(conn) => query.get_result(conn).optional()?,
    };
    Ok(found.is_some())
}

/// The categories of these ids that exist.
pub fn find_all(conn: &mut Conn, ids: &[i64]) -> QueryResult<Vec<Category>> {
    categories::table.filter(categories::id.eq_any(ids)).select(categories::all_columns).load(conn)
}

/// The same, locked on PostgreSQL for changing them.
pub fn find_all_to_change(conn: &mut Conn, ids: &[i64]) -> QueryResult<Vec<Category>> {
    let query =
        categories::table.filter(categories::id.eq_any(ids)).order(categories::id).select(categories::all_columns);
    match conn {
        Conn::Postgres(conn) => query.for_update().load(conn),
        Conn::Sqlite(conn) => query.load(conn),
    }
}

/// The id of the category of this name, without regard to case.
pub fn find_by_key(conn: &mut Conn, name_key: &str) -> QueryResult<Option<i64>> {
    categories::table.filter(categories::name_key.eq(name_key)).select(categories::id).get_result(conn).optional()
}

/// Adds a category as it is, id and version too.
pub fn restore(conn: &mut Conn, category: &Category) -> QueryResult<usize> {
    diesel::insert_into(categories::table).values(category).execute(conn)
}

/// All categories by name: for choosing one.
pub fn all(conn: &mut Conn) -> QueryResult<Vec<Category>> {
    categories::table.order((categories::name_key, categories::id)).select(categories::all_columns).load(conn)
}

/// A page of categories.
pub fn list(conn: &mut Conn, contains: Option<&str>, page: &Span<Order>) -> QueryResult<Vec<Category>> {
    let mut query = categories::table.select(categories::all_columns).into_boxed();
    if let Some(text) = contains {
        query = query.filter(categories::name_key.like(pattern(text)).escape('\\'));
    }
    if let Some((key, id)) = &page.after {
        let (key, id) = (key.clone(), *id);
        let number = key.parse::<i64>().unwrap_or_default();
        query = match (page.order, page.descending) {
            (Order::Name, false) => query.filter(categories::name_key.gt(key)),
            (Order::Name, true) => query.filter(categories::name_key.lt(key)),
            (Order::CreatedAt, false) => query.filter(
                categories::created_at.gt(number).or(categories::created_at.eq(number).and(categories::id.gt(id))),
            ),
            (Order::CreatedAt, true) => query.filter(
                categories::created_at.lt(number).or(categories::created_at.eq(number).and(categories::id.lt(id))),
            ),
            (Order::Id, false) => query.filter(categories::id.gt(id)),
            (Order::Id, true) => query.filter(categories::id.lt(id)),
        };
    }
    query = match (page.order, page.descending) {
        (Order::Name, false) => query.order(categories::name_key.asc()),
        (Order::Name, true) => query.order(categories::name_key.desc()),
        (Order::CreatedAt, false) => query.order((categories::created_at.asc(), categories::id.asc())),
        (Order::CreatedAt, true) => query.order((categories::created_at.desc(), categories::id.desc())),
        (Order::Id, false) => query.order(categories::id.asc()),
        (Order::Id, true) => query.order(categories::id.desc()),
    };
    query.limit(page.limit).offset(page.skip).load(conn)
}

/// How many categories contain the words.
pub fn count(conn: &mut Conn, contains: &str) -> QueryResult<i64> {
    categories::table.filter(categories::name_key.like(pattern(contains)).escape('\\')).count().get_result(conn)
}

/// How many items are in each of these categories: all, or the active ones.
pub fn item_counts(conn: &mut Conn, ids: &[i64], active_only: bool) -> QueryResult<HashMap<i64, i64>> {
    let name = |id: i64| if active_only { active_items_in(id) } else { items_in(id) };
    let names: Vec<String> = ids.iter().map(|id| name(*id)).collect();
    let rows: Vec<(String, i64)> =
        counters::table.filter(counters::name.eq_any(&names)).select((counters::name, counters::value)).load(conn)?;
    let mut counts = HashMap::new();
    for (name, value) in rows {
        if let Some(id) = name.rsplit(':').next().and_then(|id| id.parse::<i64>().ok()) {
            *counts.entry(id).or_default() += value;
        }
    }
    Ok(counts)
}

/// Adds a category.
pub fn insert(conn: &mut Conn, fields: &CategoryFields, now: Timestamp) -> QueryResult<Category> {
    diesel::insert_into(categories::table)
        .values((
            categories::name.eq(&fields.name),
            categories::name_key.eq(name_key(&fields.name)),
            categories::description.eq(&fields.description),
            categories::version.eq(1_i64),
            categories::created_at.eq(now.0),
            categories::updated_at.eq(now.0),
        ))
        .returning(categories::all_columns)
        .get_result(conn)
}

/// Writes a category back, as its next version.
pub fn update(conn: &mut Conn, category: &Category) -> QueryResult<usize> {
    diesel::update(categories::table.find(category.id).filter(categories::version.eq(category.version - 1)))
        .set((
            categories::name.eq(&category.name),
            categories::name_key.eq(&category.name_key),
            categories::description.eq(&category.description),
            categories::version.eq(category.version),
            categories::updated_at.eq(category.updated_at.0),
        ))
        .execute(conn)
}

/// Removes a category that nothing refers to.
pub fn delete(conn: &mut Conn, id: i64) -> QueryResult<usize> {
    diesel::delete(categories::table.find(id)).execute(conn)
}
