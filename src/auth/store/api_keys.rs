//! All SQL of API keys.

use diesel::dsl::IntoBoxed;
use diesel::prelude::*;

use crate::auth::model::api_key::{ApiKey, KeyFields, KeyText};
use crate::db::schema::{api_keys, users};
use crate::db::{Conn, MultiBackend};
use crate::time::Timestamp;
use crate::web::sorted::Span;

/// The columns of [`ApiKey`].
type Columns = (
    api_keys::id,
    api_keys::user_id,
    api_keys::name,
    api_keys::prefix,
    api_keys::scopes,
    api_keys::expires_at,
    api_keys::last_used_at,
    api_keys::revoked_at,
    api_keys::created_at,
    api_keys::version,
);
const COLUMNS: Columns = (
    api_keys::id,
    api_keys::user_id,
    api_keys::name,
    api_keys::prefix,
    api_keys::scopes,
    api_keys::expires_at,
    api_keys::last_used_at,
    api_keys::revoked_at,
    api_keys::created_at,
    api_keys::version,
);

/// What identifying a caller by a key needs: the key, and its owner as they are now.
#[derive(Debug, Clone, Queryable)]
pub struct KeyCredentials {
    /// The key's id.
    pub id: i64,
    /// What it may do, as it is stored.
    pub scopes: String,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// When its use was last noted.
    pub last_used_at: Option<Timestamp>,
    /// When somebody ended it.
    pub revoked_at: Option<Timestamp>,
    /// The owner's id.
    pub user_id: i64,
    /// The owner's name.
    pub username: String,
    /// The owner's role.
    pub role: String,
    /// Whether the owner may come in.
    pub is_active: bool,
}

/// The key of a hash and its owner; nothing for a key that outlived its owner.
pub fn credentials(conn: &mut Conn, key_hash: &str) -> QueryResult<Option<KeyCredentials>> {
    api_keys::table
        .inner_join(users::table)
        .filter(api_keys::key_hash.eq(key_hash))
        .select((
            api_keys::id,
            api_keys::scopes,
            api_keys::expires_at,
            api_keys::last_used_at,
            api_keys::revoked_at,
            users::id,
            users::username,
            users::role,
            users::is_active,
        ))
        .get_result(conn)
        .optional()
}

/// Notes a use, unless another was noted after `before`.
pub fn note_use(conn: &mut Conn, id: i64, now: Timestamp, before: Timestamp) -> QueryResult<usize> {
    let stale = api_keys::last_used_at.is_null().or(api_keys::last_used_at.le(before.0));
    diesel::update(api_keys::table.find(id).filter(stale)).set(api_keys::last_used_at.eq(now.0)).execute(conn)
}

/// One key.
pub fn find(conn: &mut Conn, id: i64) -> QueryResult<Option<ApiKey>> {
    api_keys::table.find(id).select(COLUMNS).get_result(conn).optional()
}

/// One key that will be written: locked on PostgreSQL; SQLite has one writer.
pub fn find_to_change(conn: &mut Conn, id: i64) -> QueryResult<Option<ApiKey>> {
    let query = api_keys::table.find(id).select(COLUMNS);
    match conn {
        Conn::Postgres(conn) => query.for_update().get_result(conn).optional(),
        Conn::Sqlite(conn) => query.get_result(conn).optional(),
    }
}

/// The keys of a user that have not ended, to be written; locked on PostgreSQL.
pub fn live_to_change(conn: &mut Conn, user_id: i64, now: Timestamp) -> QueryResult<Vec<ApiKey>> {
    let query = api_keys::table
        .filter(api_keys::user_id.eq(user_id))
        .filter(api_keys::revoked_at.is_null())
        .filter(api_keys::expires_at.gt(now.0))
        .order(api_keys::id)
        .select(COLUMNS);
    match conn {
        Conn::Postgres(conn) => query.for_update().load(conn),
        Conn::Sqlite(conn) => query.load(conn),
    }
}

/// The keys of a user that have not ended.
pub fn live(conn: &mut Conn, user_id: i64, now: Timestamp) -> QueryResult<Vec<ApiKey>> {
    api_keys::table
        .filter(api_keys::user_id.eq(user_id))
        .filter(api_keys::revoked_at.is_null())
        .filter(api_keys::expires_at.gt(now.0))
        .order(api_keys::id)
        .select(COLUMNS)
        .load(conn)
}

/// How many keys of a user have not ended.
pub fn count_live(conn: &mut Conn, user_id: i64, now: Timestamp) -> QueryResult<i64> {
    api_keys::table
        .filter(api_keys::user_id.eq(user_id))
        .filter(api_keys::revoked_at.is_null())
        .filter(api_keys::expires_at.gt(now.0))
        .count()
        .get_result(conn)
}

/// Adds a key.
pub fn insert(
    conn: &mut Conn,
    user_id: i64,
    fields: &KeyFields,
    text: &KeyText,
    now: Timestamp,
) -> QueryResult<ApiKey> {
    diesel::insert_into(api_keys::table)
        .values((
            api_keys::user_id.eq(user_id),
            api_keys::name.eq(&fields.name),
            api_keys::prefix.eq(text.prefix()),
            api_keys::key_hash.eq(text.hash()),
            api_keys::scopes.eq(fields.scopes.to_string()),
            api_keys::expires_at.eq(fields.expires_at.0),
            api_keys::version.eq(1_i64),
            api_keys::created_at.eq(now.0),
        ))
        .returning(COLUMNS)
        .get_result(conn)
}

/// Ends a key, as its next version.
pub fn revoke(conn: &mut Conn, key: &ApiKey) -> QueryResult<usize> {
    diesel::update(api_keys::table.find(key.id).filter(api_keys::version.eq(key.version - 1)))
        .set((api_keys::revoked_at.eq(key.revoked_at.map(|at| at.0)), api_keys::version.eq(key.version)))
        .execute(conn)
}

/// By what a list can be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By id.
    Id,
    /// By name, as its bytes are.
    Name,
    /// By age.
    CreatedAt,
    /// By when they end.
    ExpiresAt,
}

/// Which keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filter {
    /// Of this owner.
    pub user_id: Option<i64>,
    /// Of this owner too: what the caller may know of.
    pub visible_of: Option<i64>,
}

type Boxed<'q> = IntoBoxed<'q, api_keys::table, MultiBackend>;

fn filtered<'q>(filter: &Filter) -> Boxed<'q> {
    let mut query = api_keys::table.into_boxed();
    for user_id in [filter.user_id, filter.visible_of].into_iter().flatten() {
        query = query.filter(api_keys::user_id.eq(user_id));
    }
    query
}

/// A page of keys.
pub fn list(conn: &mut Conn, filter: &Filter, page: &Span<Order>) -> QueryResult<Vec<ApiKey>> {
    let mut query = filtered(filter);
    if let Some((key, id)) = page.after.clone() {
        let number = key.parse::<i64>().unwrap_or_default();
        query = match (page.order, page.descending) {
            (Order::Id, false) => query.filter(api_keys::id.gt(id)),
            (Order::Id, true) => query.filter(api_keys::id.lt(id)),
            (Order::Name, false) => {
                query.filter(api_keys::name.gt(key.clone()).or(api_keys::name.eq(key).and(api_keys::id.gt(id))))
            }
            (Order::Name, true) => {
                query.filter(api_keys::name.lt(key.clone()).or(api_keys::name.eq(key).and(api_keys::id.lt(id))))
            }
            (Order::CreatedAt, false) => query
                .filter(api_keys::created_at.gt(number).or(api_keys::created_at.eq(number).and(api_keys::id.gt(id)))),
            (Order::CreatedAt, true) => query
                .filter(api_keys::created_at.lt(number).or(api_keys::created_at.eq(number).and(api_keys::id.lt(id)))),
            (Order::ExpiresAt, false) => query
                .filter(api_keys::expires_at.gt(number).or(api_keys::expires_at.eq(number).and(api_keys::id.gt(id)))),
            (Order::ExpiresAt, true) => query
                .filter(api_keys::expires_at.lt(number).or(api_keys::expires_at.eq(number).and(api_keys::id.lt(id)))),
        };
    }
    query = match (page.order, page.descending) {
        (Order::Id, false) => query.order(api_keys::id.asc()),
        (Order::Id, true) => query.order(api_keys::id.desc()),
        (Order::Name, false) => query.order((api_keys::name.asc(), api_keys::id.asc())),
        (Order::Name, true) => query.order((api_keys::name.desc(), api_keys::id.desc())),
        (Order::CreatedAt, false) => query.order((api_keys::created_at.asc(), api_keys::id.asc())),
        (Order::CreatedAt, true) => query.order((api_keys::created_at.desc(), api_keys::id.desc())),
        (Order::ExpiresAt, false) => query.order((api_keys::expires_at.asc(), api_keys::id.asc())),
        (Order::ExpiresAt, true) => query.order((api_keys::expires_at.desc(), api_keys::id.desc())),
    };
    query.select(COLUMNS).limit(page.limit).offset(page.skip).load(conn)
}

/// How many keys a list has.
pub fn count(conn: &mut Conn, filter: &Filter) -> QueryResult<i64> {
    filtered(filter).count().get_result(conn)
}

/// The names of these users, of those that are there.
pub fn names_of(conn: &mut Conn, user_ids: &[i64]) -> QueryResult<Vec<(i64, String)>> {
    users::table.filter(users::id.eq_any(user_ids)).select((users::id, users::username)).load(conn)
}
