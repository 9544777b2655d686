//! All SQL of webhooks: the webhooks here, what there is to tell and the deliveries in `store/queue.rs`.

pub mod queue;

use diesel::prelude::*;

use super::model::{Webhook, WebhookFields};
use crate::db::Conn;
use crate::db::schema::webhooks;
use crate::time::Timestamp;
use crate::web::sorted::Span;

/// By what a list can be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By age.
    CreatedAt,
    /// By id.
    Id,
}

/// One webhook.
pub fn find(conn: &mut Conn, id: i64) -> QueryResult<Option<Webhook>> {
    webhooks::table.find(id).select(webhooks::all_columns).get_result(conn).optional()
}

/// One webhook that will be written: locked on PostgreSQL; SQLite has one writer.
pub fn find_to_change(conn: &mut Conn, id: i64) -> QueryResult<Option<Webhook>> {
    let query = webhooks::table.find(id).select(webhooks::all_columns);
    match conn {
        Conn::Postgres(conn) => query.for_update().get_result(conn).optional(),
        Conn::Sqlite(conn) => query.get_result(conn).optional(),
    }
}

/// The webhooks of these ids that exist.
pub fn find_all(conn: &mut Conn, ids: &[i64]) -> QueryResult<Vec<Webhook>> {
    webhooks::table.filter(webhooks::id.eq_any(ids)).select(webhooks::all_columns).load(conn)
}

/// The same, locked on PostgreSQL for changing them.
pub fn find_all_to_change(conn: &mut Conn, ids: &[i64]) -> QueryResult<Vec<Webhook>> {
    let query = webhooks::table.filter(webhooks::id.eq_any(ids)).order(webhooks::id).select(webhooks::all_columns);
    match conn {
        Conn::Postgres(conn) => query.for_update().load(conn),
        Conn::Sqlite(conn) => query.load(conn),
    }
}

/// All that are active.
pub fn active(conn: &mut Conn) -> QueryResult<Vec<Webhook>> {
    webhooks::table.filter(webhooks::is_active).order(webhooks::id).select(webhooks::all_columns).load(conn)
}

/// All of them.
pub fn all(conn: &mut Conn) -> QueryResult<Vec<Webhook>> {
    webhooks::table.order(webhooks::id).select(webhooks::all_columns).load(conn)
}

/// How many there are, or how many are active or not.
pub fn count(conn: &mut Conn, is_active: Option<bool>) -> QueryResult<i64> {
    let query = webhooks::table.into_boxed();
    match is_active {
        Some(active) => query.filter(webhooks::is_active.eq(active)).count().get_result(conn),
        None => query.count().get_result(conn),
    }
}

/// A page of webhooks.
pub fn list(conn: &mut Conn, is_active: Option<bool>, page: &Span<Order>) -> QueryResult<Vec<Webhook>> {
    let mut query = webhooks::table.select(webhooks::all_columns).into_boxed();
    if let Some(active) = is_active {
        query = query.filter(webhooks::is_active.eq(active));
    }
    if let Some((key, id)) = &page.after {
        let (id, time) = (*id, key.parse::<i64>().unwrap_or_default());
        query =
            match (page.order, page.descending) {
                (Order::CreatedAt, false) => query
                    .filter(webhooks::created_at.gt(time).or(webhooks::created_at.eq(time).and(webhooks::id.gt(id)))),
                (Order::CreatedAt, true) => query
                    .filter(webhooks::created_at.lt(time).or(webhooks::created_at.eq(time).and(webhooks::id.lt(id)))),
                (Order::Id, false) => query.filter(webhooks::id.gt(id)),
                (Order::Id, true) => query.filter(webhooks::id.lt(id)),
            };
    }
    query = match (page.order, page.descending) {
        (Order::CreatedAt, false) => query.order((webhooks::created_at.asc(), webhooks::id.asc())),
        (Order::CreatedAt, true) => query.order((webhooks::created_at.desc(), webhooks::id.desc())),
        (Order::Id, false) => query.order(webhooks::id.asc()),
        (Order::Id, true) => query.order(webhooks::id.desc()),
    };
    query.limit(page.limit).offset(page.skip).load(conn)
}

/// Adds a webhook; its secret is sealed for its id, and so comes after.
pub fn insert(conn: &mut Conn, fields: &WebhookFields, now: Timestamp) -> QueryResult<Webhook> {
    diesel::insert_into(webhooks::table)
        .values((
            webhooks::url.eq(&fields.url),
            webhooks::events.eq(fields.events.stored()),
            webhooks::description.eq(&fields.description),
            webhooks::is_active.eq(fields.is_active),
            webhooks::secret.eq(""),
            webhooks::version.eq(1_i64),
            webhooks::created_at.eq(now.0),
            webhooks::updated_at.eq(now.0),
        ))
        .returning(webhooks::all_columns)
        .get_result(conn)
}

/// Writes its secrets, without making a version of it.
pub fn set_secrets(conn: &mut Conn, webhook: &Webhook) -> QueryResult<usize> {
    diesel::update(webhooks::table.find(webhook.id))
        .set((webhooks::secret.eq(&webhook.secret), webhooks::previous_secret.eq(&webhook.previous_secret)))
        .execute(conn)
}

/// Writes a webhook back, as its next version.
pub fn update(conn: &mut Conn, webhook: &Webhook) -> QueryResult<usize> {
    diesel::update(webhooks::table.find(webhook.id).filter(webhooks::version.eq(webhook.version - 1)))
        .set((
            webhooks::url.eq(&webhook.url),
            webhooks::events.eq(webhook.events.stored()),
            webhooks::description.eq(&webhook.description),
            webhooks::is_active.eq(webhook.is_active),
            webhooks::secret.eq(&webhook.secret),
            webhooks::previous_secret.eq(&webhook.previous_secret),
            webhooks::previous_until.eq(webhook.previous_until.map(|time| time.0)),
            webhooks::failing_since.eq(webhook.failing_since.map(|time| time.0)),
            webhooks::disabled_reason.eq(&webhook.disabled_reason),
            webhooks::version.eq(webhook.version),
            webhooks::updated_at.eq(webhook.updated_at.0),
        ))
        .execute(conn)
}

/// Notes that its endpoint is well, or since when it fails.
pub fn set_failing(conn: &mut Conn, id: i64, since: Option<Timestamp>) -> QueryResult<usize> {
    diesel::update(webhooks::table.find(id)).set(webhooks::failing_since.eq(since.map(|time| time.0))).execute(conn)
}

/// Removes a webhook with its deliveries.
pub fn delete(conn: &mut Conn, id: i64) -> QueryResult<usize> {
    diesel::delete(webhooks::table.find(id)).execute(conn)
}
