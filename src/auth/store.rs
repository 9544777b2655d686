//! All SQL of browser sessions; that of refresh tokens is in `store/refresh.rs`.

pub mod refresh;

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::sessions;
use crate::time::Timestamp;

/// A session as the database has it.
#[derive(Debug, Clone, Queryable)]
pub struct Session {
    /// What it holds, as JSON.
    pub state: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
    /// When it ends unless it is used again.
    pub expires_at: Timestamp,
}

/// A session that has not ended.
pub fn find(conn: &mut Conn, key_hash: &str, now: Timestamp) -> QueryResult<Option<Session>> {
    sessions::table
        .find(key_hash)
        .filter(sessions::expires_at.gt(now.0))
        .select((sessions::state, sessions::created_at, sessions::seen_at, sessions::expires_at))
        .get_result(conn)
        .optional()
}

/// Begins a session.
pub fn insert(
    conn: &mut Conn,
    key_hash: &str,
    user_id: Option<i64>,
    state: &str,
    now: Timestamp,
    expires: Timestamp,
) -> QueryResult<usize> {
    diesel::insert_into(sessions::table)
        .values((
            sessions::key_hash.eq(key_hash),
            sessions::user_id.eq(user_id),
            sessions::state.eq(state),
            sessions::created_at.eq(now.0),
            sessions::seen_at.eq(now.0),
            sessions::expires_at.eq(expires.0),
        ))
        .execute(conn)
}

/// Keeps what a session holds now; 0 rows when it was ended meanwhile, which must not bring it back. That it is
/// used is [`touch`]'s to note, with the time that this gives it.
pub fn update(
    conn: &mut Conn,
    key_hash: &str,
    user_id: Option<i64>,
    state: &str,
    now: Timestamp,
) -> QueryResult<usize> {
    diesel::update(sessions::table.find(key_hash).filter(sessions::expires_at.gt(now.0)))
        .set((sessions::state.eq(state), sessions::user_id.eq(user_id)))
        .execute(conn)
}

/// Notes that a session is used.
pub fn touch(conn: &mut Conn, key_hash: &str, now: Timestamp, expires: Timestamp) -> QueryResult<usize> {
    diesel::update(sessions::table.find(key_hash).filter(sessions::expires_at.gt(now.0)))
        .set((sessions::seen_at.eq(now.0), sessions::expires_at.eq(expires.0)))
        .execute(conn)
}

/// Ends a session.
pub fn delete(conn: &mut Conn, key_hash: &str) -> QueryResult<usize> {
    diesel::delete(sessions::table.find(key_hash)).execute(conn)
}

/// Removes what has ended.
pub fn delete_expired(conn: &mut Conn, now: Timestamp) -> QueryResult<usize> {
    diesel::delete(sessions::table.filter(sessions::expires_at.le(now.0))).execute(conn)
}
