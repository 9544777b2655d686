//! All SQL of two-factor sign-in. Who writes here has locked the user's row before (or writes it first), so
//! that two acts at once on one user wait for each other in one order.

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::{recovery_codes, second_factors};
use crate::time::Timestamp;

/// A second factor as the database has it.
#[derive(Debug, Clone, Queryable)]
pub struct SecondFactor {
    /// Whose it is.
    pub user_id: i64,
    /// Encrypted.
    pub secret: String,
    /// Since when it is asked for; absent until its first right code.
    pub confirmed_at: Option<Timestamp>,
    /// When its secret was made.
    pub created_at: Timestamp,
}

/// A user's second factor, confirmed or not.
pub fn find(conn: &mut Conn, user_id: i64) -> QueryResult<Option<SecondFactor>> {
    second_factors::table
        .find(user_id)
        .select((
            second_factors::user_id,
            second_factors::secret,
            second_factors::confirmed_at,
            second_factors::created_at,
        ))
        .get_result(conn)
        .optional()
}

/// Keeps a secret that waits for its first right code, in the place of one that waited before.
pub fn put(conn: &mut Conn, user_id: i64, secret: &str, now: Timestamp) -> QueryResult<usize> {
    diesel::delete(second_factors::table.find(user_id)).execute(conn)?;
    diesel::insert_into(second_factors::table)
        .values((
            second_factors::user_id.eq(user_id),
            second_factors::secret.eq(secret),
            second_factors::last_step.eq(0_i64),
            second_factors::created_at.eq(now.0),
        ))
        .execute(conn)
}

/// From now on it is asked for.
pub fn confirm(conn: &mut Conn, user_id: i64, now: Timestamp) -> QueryResult<usize> {
    diesel::update(second_factors::table.find(user_id)).set(second_factors::confirmed_at.eq(now.0)).execute(conn)
}

/// Uses a step; 0 rows when it, or a later one, was used already. Of two at once PostgreSQL lets the second
/// wait and look again, SQLite has one writer.
pub fn use_step(conn: &mut Conn, user_id: i64, step: i64) -> QueryResult<usize> {
    diesel::update(second_factors::table.find(user_id).filter(second_factors::last_step.lt(step)))
        .set(second_factors::last_step.eq(step))
        .execute(conn)
}

/// Keeps the same secret, encrypted anew.
pub fn reseal(conn: &mut Conn, user_id: i64, secret: &str) -> QueryResult<usize> {
    diesel::update(second_factors::table.find(user_id)).set(second_factors::secret.eq(secret)).execute(conn)
}

/// Removes a user's second factor and what is left of its recovery codes; how many factors there were.
pub fn delete(conn: &mut Conn, user_id: i64) -> QueryResult<usize> {
    diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(user_id))).execute(conn)?;
    diesel::delete(second_factors::table.find(user_id)).execute(conn)
}

/// Gives a user these recovery codes and no others.
pub fn replace_codes(conn: &mut Conn, user_id: i64, hashes: &[String]) -> QueryResult<()> {
    diesel::delete(recovery_codes::table.filter(recovery_codes::user_id.eq(user_id))).execute(conn)?;
    for hash in hashes {
        diesel::insert_into(recovery_codes::table)
            .values((recovery_codes::user_id.eq(user_id), recovery_codes::code_hash.eq(hash)))
            .execute(conn)?;
    }
    Ok(())
}

/// Uses a recovery code; 0 rows when there is none such, or it was used already.
pub fn use_code(conn: &mut Conn, user_id: i64, hash: &str, now: Timestamp) -> QueryResult<usize> {
    let unused = recovery_codes::table
        .filter(recovery_codes::user_id.eq(user_id))
        .filter(recovery_codes::code_hash.eq(hash))
        .filter(recovery_codes::used_at.is_null());
    diesel::update(unused).set(recovery_codes::used_at.eq(now.0)).execute(conn)
}

/// How many recovery codes are left.
pub fn count_codes(conn: &mut Conn, user_id: i64) -> QueryResult<i64> {
    recovery_codes::table
        .filter(recovery_codes::user_id.eq(user_id))
        .filter(recovery_codes::used_at.is_null())
        .count()
        .get_result(conn)
}
