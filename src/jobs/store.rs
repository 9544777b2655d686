//! All SQL of the queue.

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::jobs;
use crate::time::Timestamp;

/// A job that somebody has taken on.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct Claimed {
    /// Its id.
    pub id: i64,
    /// What kind of work.
    pub kind: String,
    /// For what, as JSON.
    pub payload: String,
    /// How often it was begun, this time included.
    pub attempts: i32,
}

/// Adds a job that is due at once.
pub fn insert(conn: &mut Conn, kind: &str, payload: &str, now: Timestamp) -> QueryResult<usize> {
    diesel::insert_into(jobs::table)
        .values((
            jobs::kind.eq(kind),
            jobs::payload.eq(payload),
            jobs::attempts.eq(0),
            jobs::run_at.eq(now.0),
            jobs::created_at.eq(now.0),
        ))
        .execute(conn)
}

/// When the next job is due.
pub fn next_due(conn: &mut Conn) -> QueryResult<Option<Timestamp>> {
    let first: Option<i64> = jobs::table
        .filter(jobs::parked_at.is_null())
        .order((jobs::run_at, jobs::id))
        .select(jobs::run_at)
        .limit(1)
        .get_result(conn)
        .optional()?;
    Ok(first.map(Timestamp))
}

/// Takes on jobs that are due: nobody else gets them before `until`. On PostgreSQL what others are just
/// taking is passed over; SQLite has one writer.
pub fn claim(
    conn: &mut Conn,
    lease: &str,
    now: Timestamp,
    until: Timestamp,
    at_most: i64,
) -> QueryResult<Vec<Claimed>> {
    let due = jobs::table
        .filter(jobs::parked_at.is_null())
        .filter(jobs::run_at.le(now.0))
        .order((jobs::run_at, jobs::id))
        .select(jobs::id)
        .limit(at_most);
    let ids: Vec<i64> = match conn {
        Conn::Postgres(conn) => due.for_update().skip_locked().load(conn)?,
        Conn::Sqlite(conn) => due.load(conn)?,
    };
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    diesel::update(jobs::table.filter(jobs::id.eq_any(&ids)))
        .set((jobs::lease.eq(lease), jobs::run_at.eq(until.0), jobs::attempts.eq(jobs::attempts + 1)))
        .execute(conn)?;
    jobs::table
        .filter(jobs::id.eq_any(ids))
        .order(jobs::id)
        .select((jobs::id, jobs::kind, jobs::payload, jobs::attempts))
        .load(conn)
}

/// It is done. Not if the lease ran out and another has it now.
pub fn finish(conn: &mut Conn, id: i64, lease: &str) -> QueryResult<usize> {
    diesel::delete(jobs::table.find(id).filter(jobs::lease.eq(lease))).execute(conn)
}

/// It failed and is tried again at `at`.
pub fn retry(conn: &mut Conn, id: i64, lease: &str, error: &str, at: Timestamp) -> QueryResult<usize> {
    diesel::update(jobs::table.find(id).filter(jobs::lease.eq(lease)))
        .set((jobs::lease.eq(None::<String>), jobs::error.eq(error), jobs::run_at.eq(at.0)))
        .execute(conn)
}

/// It failed for good.
pub fn park(conn: &mut Conn, id: i64, lease: &str, error: &str, now: Timestamp) -> QueryResult<usize> {
    diesel::update(jobs::table.find(id).filter(jobs::lease.eq(lease)))
        .set((jobs::lease.eq(None::<String>), jobs::error.eq(error), jobs::parked_at.eq(now.0)))
        .execute(conn)
}

/// Gives back what this lease has: it is due at once, and the attempt that was broken off does not count.
pub fn release(conn: &mut Conn, lease: &str, now: Timestamp) -> QueryResult<usize> {
    diesel::update(jobs::table.filter(jobs::lease.eq(lease)))
        .set((jobs::lease.eq(None::<String>), jobs::run_at.eq(now.0), jobs::attempts.eq(jobs::attempts - 1)))
        .execute(conn)
}

/// Gives back what anybody had: for the only server of a SQLite file, whose forerunner was killed.
pub fn release_all(conn: &mut Conn, now: Timestamp) -> QueryResult<usize> {
    diesel::update(jobs::table.filter(jobs::lease.is_not_null()))
        .set((jobs::lease.eq(None::<String>), jobs::run_at.eq(now.0)))
        .execute(conn)
}
