//! All SQL by which people look at the queue and act on it; what the worker needs is in `jobs::store`.

use diesel::dsl::{IntoBoxed, count_star};
use diesel::prelude::*;

use super::model::{QueuedJob, State};
use crate::db::schema::jobs;
use crate::db::{Conn, MultiBackend};
use crate::time::Timestamp;
use crate::web::sorted::Span;

/// Which jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// That stand so.
    pub state: Option<State>,
    /// Of this kind.
    pub kind: Option<String>,
}

type Boxed<'q> = IntoBoxed<'q, jobs::table, MultiBackend>;

fn filtered<'q>(filter: &Filter, now: Timestamp) -> Boxed<'q> {
    let mut query = jobs::table.into_boxed();
    if let Some(kind) = &filter.kind {
        query = query.filter(jobs::kind.eq(kind.clone()));
    }
    if let Some(state) = filter.state {
        query = match state {
            State::Parked => query.filter(jobs::parked_at.is_not_null()),
            _ => query.filter(jobs::parked_at.is_null()),
        };
        query = match state {
            State::Queued => query.filter(jobs::run_at.le(now.0)),
            State::Running => query.filter(jobs::run_at.gt(now.0)).filter(jobs::lease.is_not_null()),
            State::Waiting => query.filter(jobs::run_at.gt(now.0)).filter(jobs::lease.is_null()),
            State::Parked => query,
        };
    }
    query
}

/// A page of jobs, by id.
pub fn list(conn: &mut Conn, filter: &Filter, now: Timestamp, page: &Span<()>) -> QueryResult<Vec<QueuedJob>> {
    let mut query = filtered(filter, now);
    query = match (&page.after, page.descending) {
        (Some((_, id)), true) => query.filter(jobs::id.lt(*id)),
        (Some((_, id)), false) => query.filter(jobs::id.gt(*id)),
        (None, _) => query,
    };
    query = if page.descending { query.order(jobs::id.desc()) } else { query.order(jobs::id.asc()) };
    query.limit(page.limit).select(jobs::all_columns).load(conn)
}

/// How many jobs of each kind stand so.
pub fn counts(conn: &mut Conn, state: State, now: Timestamp) -> QueryResult<Vec<(String, i64)>> {
    let of_each = jobs::table.group_by(jobs::kind).order(jobs::kind).select((jobs::kind, count_star()));
    match state {
        State::Queued => of_each.filter(jobs::parked_at.is_null()).filter(jobs::run_at.le(now.0)).load(conn),
        State::Running => of_each
            .filter(jobs::parked_at.is_null())
            .filter(jobs::run_at.gt(now.0))
            .filter(jobs::lease.is_not_null())
            .load(conn),
        State::Waiting => of_each
            .filter(jobs::parked_at.is_null())
            .filter(jobs::run_at.gt(now.0))
            .filter(jobs::lease.is_null())
            .load(conn),
        State::Parked => of_each.filter(jobs::parked_at.is_not_null()).load(conn),
    }
}

/// How many jobs a filter leaves.
pub fn count(conn: &mut Conn, filter: &Filter, now: Timestamp) -> QueryResult<i64> {
    filtered(filter, now).count().get_result(conn)
}

/// One job.
pub fn find(conn: &mut Conn, id: i64) -> QueryResult<Option<QueuedJob>> {
    jobs::table.find(id).select(jobs::all_columns).get_result(conn).optional()
}

/// The jobs of these ids that are in the queue; locked on PostgreSQL if they will be written, so that no worker
/// takes them on meanwhile.
pub fn find_all(conn: &mut Conn, ids: &[i64], lock: bool) -> QueryResult<Vec<QueuedJob>> {
    let query = jobs::table.filter(jobs::id.eq_any(ids)).order(jobs::id).select(jobs::all_columns);
    match conn {
        Conn::Postgres(conn) if lock => query.for_update().load(conn),
        conn => query.load(conn),
    }
}

/// The ids of some jobs behind this one, oldest first.
pub fn ids_after(conn: &mut Conn, filter: &Filter, now: Timestamp, after: i64, at_most: i64) -> QueryResult<Vec<i64>> {
    filtered(filter, now).filter(jobs::id.gt(after)).order(jobs::id).limit(at_most).select(jobs::id).load(conn)
}

/// Writes how a job stands.
pub fn update(conn: &mut Conn, job: &QueuedJob) -> QueryResult<usize> {
    diesel::update(jobs::table.find(job.id))
        .set((
            jobs::attempts.eq(job.attempts),
            jobs::run_at.eq(job.run_at.0),
            jobs::lease.eq(&job.lease),
            jobs::parked_at.eq(job.parked_at.map(|at| at.0)),
        ))
        .execute(conn)
}

/// Takes a job out of the queue.
pub fn delete(conn: &mut Conn, id: i64) -> QueryResult<usize> {
    diesel::delete(jobs::table.find(id)).execute(conn)
}

/// Puts a job in as it was, id too.
pub fn restore(conn: &mut Conn, job: &QueuedJob) -> QueryResult<usize> {
    diesel::insert_into(jobs::table).values(job).execute(conn)
}
