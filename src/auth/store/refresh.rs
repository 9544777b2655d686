//! All SQL of refresh tokens.

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::refresh_tokens;
use crate::time::Timestamp;

/// A refresh token as the database has it.
#[derive(Debug, Clone, Queryable)]
pub struct RefreshToken {
    /// Its id.
    pub id: i64,
    /// Those that came one from the other.
    pub family: String,
    /// Whose it is.
    pub user_id: i64,
    /// The user's `credentials_version` when the family began.
    pub credentials_version: i64,
    /// When it ends.
    pub expires_at: Timestamp,
    /// When it was used.
    pub used_at: Option<Timestamp>,
    /// When its family was ended.
    pub revoked_at: Option<Timestamp>,
}

/// The token of a hash; locked on PostgreSQL, since of two uses at once only one may count.
pub fn find_to_use(conn: &mut Conn, token_hash: &str) -> QueryResult<Option<RefreshToken>> {
    let query = refresh_tokens::table.filter(refresh_tokens::token_hash.eq(token_hash)).select((
        refresh_tokens::id,
        refresh_tokens::family,
        refresh_tokens::user_id,
        refresh_tokens::credentials_version,
        refresh_tokens::expires_at,
        refresh_tokens::used_at,
        refresh_tokens::revoked_at,
    ));
    match conn {
        Conn::Postgres(conn) => query.for_update().get_result(conn).optional(),
        Conn::Sqlite(conn) => query.get_result(conn).optional(),
    }
}

/// Adds a token to a family.
pub fn insert(
    conn: &mut Conn,
    family: &str,
    user_id: i64,
    token_hash: &str,
    credentials_version: i64,
    now: Timestamp,
    expires: Timestamp,
) -> QueryResult<usize> {
    diesel::insert_into(refresh_tokens::table)
        .values((
            refresh_tokens::family.eq(family),
            refresh_tokens::user_id.eq(user_id),
            refresh_tokens::token_hash.eq(token_hash),
            refresh_tokens::credentials_version.eq(credentials_version),
            refresh_tokens::created_at.eq(now.0),
            refresh_tokens::expires_at.eq(expires.0),
        ))
        .execute(conn)
}

/// Notes that a token was used.
pub fn mark_used(conn: &mut Conn, id: i64, now: Timestamp) -> QueryResult<usize> {
    diesel::update(refresh_tokens::table.find(id)).set(refresh_tokens::used_at.eq(now.0)).execute(conn)
}

/// Ends a family. On PostgreSQL an update that waited for a use does not see the token that the use added, so
/// it is done until nothing is left to end.
pub fn revoke_family(conn: &mut Conn, family: &str, now: Timestamp) -> QueryResult<()> {
    loop {
        let alive = refresh_tokens::table
            .filter(refresh_tokens::family.eq(family))
            .filter(refresh_tokens::revoked_at.is_null());
        if diesel::update(alive).set(refresh_tokens::revoked_at.eq(now.0)).execute(conn)? == 0 {
            return Ok(());
        }
    }
}

/// Removes what has ended.
pub fn delete_expired(conn: &mut Conn, now: Timestamp) -> QueryResult<usize> {
    diesel::delete(refresh_tokens::table.filter(refresh_tokens::expires_at.le(now.0))).execute(conn)
}
