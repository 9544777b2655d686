//! All SQL of browser sessions; that of refresh tokens is in `store/refresh.rs`, that of two-factor sign-in in
//! `store/second_factor.rs`, that of API keys in `store/api_keys.rs`.

pub mod api_keys;
pub mod refresh;
pub mod second_factor;

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::sessions;
use crate::time::Timestamp;

/// A session as the database has it.
#[derive(Debug, Clone, Queryable)]
pub struct Session {
    /// SHA-256 of its key, in hexadecimal digits.
    pub key_hash: String,
    /// What it holds, as JSON.
    pub state: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub seen_at: Timestamp,
    /// The browser that it began in, as it named itself.
    pub device: Option<String>,
    /// The address that it began at.
    pub address: Option<String>,
}

const COLUMNS: (
    sessions::key_hash,
    sessions::state,
    sessions::created_at,
    sessions::seen_at,
    sessions::device,
    sessions::address,
) = (sessions::key_hash, sessions::state, sessions::created_at, sessions::seen_at, sessions::device, sessions::address);

/// A session that has not ended.
pub fn find(conn: &mut Conn, key_hash: &str, now: Timestamp) -> QueryResult<Option<Session>> {
    sessions::table.find(key_hash).filter(sessions::expires_at.gt(now.0)).select(COLUMNS).get_result(conn).optional()
}

/// The sessions of a user that have not ended, last used first.
pub fn of_user(conn: &mut Conn, user_id: i64, now: Timestamp, limit: i64) -> QueryResult<Vec<Session>> {
    sessions::table
        .filter(sessions::user_id.eq(user_id))
        .filter(sessions::expires_at.gt(now.0))
        .order((sessions::seen_at.desc(), sessions::created_at.desc(), sessions::key_hash))
        .limit(limit)
        .select(COLUMNS)
        .load(conn)
}

/// Begins a session.
pub fn insert(conn: &mut Conn, user_id: Option<i64>, session: &Session, expires: Timestamp) -> QueryResult<usize> {
    diesel::insert_into(sessions::table)
        .values((
            sessions::key_hash.eq(&session.key_hash),
            sessions::user_id.eq(user_id),
            sessions::state.eq(&session.state),
            sessions::created_at.eq(session.created_at.0),
            sessions::seen_at.eq(session.seen_at.0),
            sessions::expires_at.eq(expires.0),
            sessions::device.eq(&session.device),
            sessions::address.eq(&session.address),
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

/// Ends a session of a user, named by the hexadecimal digits that its hash begins with; how many it was.
pub fn delete_of(conn: &mut Conn, user_id: i64, begins: &str) -> QueryResult<usize> {
    let named = sessions::key_hash.like(format!("{begins}%"));
    diesel::delete(sessions::table.filter(sessions::user_id.eq(user_id)).filter(named)).execute(conn)
}

/// Ends the sessions of a user but the one whose hash begins with these hexadecimal digits.
pub fn delete_others(conn: &mut Conn, user_id: i64, begins: &str) -> QueryResult<usize> {
    let others = sessions::key_hash.not_like(format!("{begins}%"));
    diesel::delete(sessions::table.filter(sessions::user_id.eq(user_id)).filter(others)).execute(conn)
}

/// Removes what has ended.
pub fn delete_expired(conn: &mut Conn, now: Timestamp) -> QueryResult<usize> {
    diesel::delete(sessions::table.filter(sessions::expires_at.le(now.0))).execute(conn)
}
