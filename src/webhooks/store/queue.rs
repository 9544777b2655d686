//! What there is to tell, and the deliveries that come of it. Those that are tried or tried again have `next_at`.

use diesel::dsl::{IntoBoxed, exists};
use diesel::prelude::*;

use crate::db::schema::{changes, deliveries, fan_outs, webhooks};
use crate::db::{Conn, MultiBackend};
use crate::time::Timestamp;
use crate::web::sorted::Span;
use crate::webhooks::model::{Delivery, State};

/// Changes of a changeset that webhooks are to be told of.
#[derive(Debug, Clone, Queryable)]
pub struct FanOut {
    /// Its id.
    pub id: i64,
    /// The changeset.
    pub changeset_id: i64,
    /// The first change that nobody was told of yet.
    pub from_seq: i32,
    /// The last one.
    pub to_seq: i32,
    /// When they were made.
    pub at: Timestamp,
}

/// One of those changes.
#[derive(Debug, Clone, Queryable)]
pub struct ToldChange {
    /// Its place in the changeset.
    pub seq: i32,
    /// The kind of thing.
    pub entity: String,
    /// Which.
    pub entity_id: i64,
    /// `created`, `updated`, `deleted`.
    pub action: String,
    /// The version that came of it.
    pub version: i64,
    /// The fields before, as JSON.
    pub before: Option<String>,
    /// The fields after, as JSON.
    pub after: Option<String>,
}

/// A delivery that can be made.
#[derive(Debug, Clone)]
pub struct NewDelivery {
    /// For which webhook.
    pub webhook_id: i64,
    /// The event's id.
    pub event_id: String,
    /// The event.
    pub event: String,
    /// What is sent.
    pub payload: String,
}

/// What came of an attempt.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Of which delivery.
    pub id: i64,
    /// How far the delivery is.
    pub state: State,
    /// When it is tried again.
    pub next_at: Option<Timestamp>,
    /// The status code of the answer.
    pub status: Option<i32>,
    /// Why it failed.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: i32,
    /// The beginning of the answer's body.
    pub response: Option<String>,
    /// When it was made.
    pub at: Timestamp,
}

/// Whether there is something to tell.
pub fn any_fan_out(conn: &mut Conn) -> QueryResult<bool> {
    diesel::select(exists(fan_outs::table.select(fan_outs::id))).get_result(conn)
}

/// The oldest that nobody else works on: locked on PostgreSQL.
pub fn next_fan_out(conn: &mut Conn) -> QueryResult<Option<FanOut>> {
    let query = fan_outs::table.order(fan_outs::id).limit(1).select(fan_outs::all_columns);
    match conn {
        Conn::Postgres(conn) => query.for_update().skip_locked().get_result(conn).optional(),
        Conn::Sqlite(conn) => query.get_result(conn).optional(),
    }
}

/// Notes how far it was told: up to this change.
pub fn told(conn: &mut Conn, fan_out: &FanOut, up_to: i32) -> QueryResult<usize> {
    if up_to >= fan_out.to_seq {
        return diesel::delete(fan_outs::table.find(fan_out.id)).execute(conn);
    }
    diesel::update(fan_outs::table.find(fan_out.id)).set(fan_outs::from_seq.eq(up_to + 1)).execute(conn)
}

/// Changes of a changeset, by their places in it.
pub fn changes_between(conn: &mut Conn, changeset: i64, from: i32, to: i32) -> QueryResult<Vec<ToldChange>> {
    changes::table
        .filter(changes::changeset_id.eq(changeset))
        .filter(changes::seq.between(from, to))
        .order(changes::seq)
        .select((
            changes::seq,
            changes::entity,
            changes::entity_id,
            changes::action,
            changes::version,
            changes::before,
            changes::after,
        ))
        .load(conn)
}

/// Adds deliveries that are due at once.
pub fn insert(conn: &mut Conn, list: &[NewDelivery], now: Timestamp) -> QueryResult<()> {
    let row = |new: &NewDelivery| {
        (
            deliveries::webhook_id.eq(new.webhook_id),
            deliveries::event_id.eq(new.event_id.clone()),
            deliveries::event.eq(new.event.clone()),
            deliveries::payload.eq(new.payload.clone()),
            deliveries::state.eq(State::Waiting.as_str()),
            deliveries::attempts.eq(0),
            deliveries::next_at.eq(now.0),
            deliveries::created_at.eq(now.0),
        )
    };
    match conn {
        Conn::Sqlite(conn) => {
            for new in list {
                diesel::insert_into(deliveries::table).values(row(new)).execute(conn)?;
            }
        }
        Conn::Postgres(conn) => {
            // Eight values a row, and a statement takes 65,535.
            for part in list.chunks(5_000) {
                let rows: Vec<_> = part.iter().map(row).collect();
                diesel::insert_into(deliveries::table).values(rows).execute(conn)?;
            }
        }
    }
    Ok(())
}

/// Adds one that is due at once.
pub fn insert_one(conn: &mut Conn, new: &NewDelivery, now: Timestamp) -> QueryResult<Delivery> {
    diesel::insert_into(deliveries::table)
        .values((
            deliveries::webhook_id.eq(new.webhook_id),
            deliveries::event_id.eq(&new.event_id),
            deliveries::event.eq(&new.event),
            deliveries::payload.eq(&new.payload),
            deliveries::state.eq(State::Waiting.as_str()),
            deliveries::attempts.eq(0),
            deliveries::next_at.eq(now.0),
            deliveries::created_at.eq(now.0),
        ))
        .returning(deliveries::all_columns)
        .get_result(conn)
}

/// One delivery of a webhook.
pub fn find(conn: &mut Conn, webhook_id: i64, id: i64) -> QueryResult<Option<Delivery>> {
    deliveries::table
        .find(id)
        .filter(deliveries::webhook_id.eq(webhook_id))
        .select(deliveries::all_columns)
        .get_result(conn)
        .optional()
}

/// Which deliveries of a webhook.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// The webhook.
    pub webhook_id: i64,
    /// How far they are.
    pub state: Option<&'static str>,
    /// Of which event.
    pub event: Option<String>,
}

type Boxed<'q> = IntoBoxed<'q, deliveries::table, MultiBackend>;

fn filtered<'q>(query: Boxed<'q>, filter: &'q Filter) -> Boxed<'q> {
    let mut query = query.filter(deliveries::webhook_id.eq(filter.webhook_id));
    if let Some(state) = filter.state {
        query = query.filter(deliveries::state.eq(state));
    }
    if let Some(event) = &filter.event {
        query = query.filter(deliveries::event.eq(event));
    }
    query
}

/// A page of deliveries, by id.
pub fn list(conn: &mut Conn, filter: &Filter, page: &Span<()>) -> QueryResult<Vec<Delivery>> {
    let mut query = filtered(deliveries::table.into_boxed(), filter);
    if let Some((_, id)) = page.after {
        query = if page.descending { query.filter(deliveries::id.lt(id)) } else { query.filter(deliveries::id.gt(id)) };
    }
    query = if page.descending { query.order(deliveries::id.desc()) } else { query.order(deliveries::id.asc()) };
    query.limit(page.limit).offset(page.skip).load(conn)
}

/// How many there are.
pub fn count(conn: &mut Conn, filter: &Filter) -> QueryResult<i64> {
    filtered(deliveries::table.into_boxed(), filter).count().get_result(conn)
}

/// The active webhooks of which something is due.
pub fn due(conn: &mut Conn, now: Timestamp) -> QueryResult<Vec<i64>> {
    let waiting =
        deliveries::table.filter(deliveries::webhook_id.eq(webhooks::id)).filter(deliveries::next_at.le(now.0));
    webhooks::table
        .filter(webhooks::is_active)
        .filter(exists(waiting))
        .order(webhooks::id)
        .select(webhooks::id)
        .load(conn)
}

/// Takes on deliveries of one webhook that are due, oldest first: nobody else gets them before `until`. Nothing
/// while another process has some of it, so that an endpoint is never sent two at once.
pub fn claim(
    conn: &mut Conn,
    webhook_id: i64,
    lease: &str,
    now: Timestamp,
    until: Timestamp,
    at_most: i64,
) -> QueryResult<Vec<Delivery>> {
    if let Conn::Postgres(conn) = conn {
        let lock = webhooks::table.find(webhook_id).select(webhooks::id).for_no_key_update().skip_locked();
        if lock.get_result::<i64>(conn).optional()?.is_none() {
            return Ok(Vec::new());
        }
    }
    let taken = deliveries::table
        .filter(deliveries::webhook_id.eq(webhook_id))
        .filter(deliveries::next_at.gt(now.0))
        .filter(deliveries::lease.is_not_null());
    if diesel::select(exists(taken)).get_result(conn)? {
        return Ok(Vec::new());
    }
    let ids: Vec<i64> = deliveries::table
        .filter(deliveries::webhook_id.eq(webhook_id))
        .filter(deliveries::next_at.le(now.0))
        .order((deliveries::next_at, deliveries::id))
        .select(deliveries::id)
        .limit(at_most)
        .load(conn)?;
    diesel::update(deliveries::table.filter(deliveries::id.eq_any(&ids)))
        .set((deliveries::lease.eq(lease), deliveries::next_at.eq(until.0)))
        .execute(conn)?;
    deliveries::table
        .filter(deliveries::id.eq_any(ids))
        .order(deliveries::id)
        .select(deliveries::all_columns)
        .load(conn)
}

/// Notes what came of an attempt. Not if the lease ran out and another has it now.
pub fn settle(conn: &mut Conn, outcome: &Outcome, lease: &str) -> QueryResult<usize> {
    diesel::update(deliveries::table.find(outcome.id).filter(deliveries::lease.eq(lease)))
        .set((
            deliveries::state.eq(outcome.state.as_str()),
            deliveries::attempts.eq(deliveries::attempts + 1),
            deliveries::next_at.eq(outcome.next_at.map(|time| time.0)),
            deliveries::lease.eq(None::<String>),
            deliveries::status.eq(outcome.status),
            deliveries::error.eq(&outcome.error),
            deliveries::duration_ms.eq(outcome.duration_ms),
            deliveries::response.eq(&outcome.response),
            deliveries::last_attempt_at.eq(outcome.at.0),
        ))
        .execute(conn)
}

/// Gives back what was taken on and not tried, of one webhook or of all.
pub fn release(conn: &mut Conn, webhook_id: Option<i64>, lease: &str, now: Timestamp) -> QueryResult<usize> {
    let back = (deliveries::lease.eq(None::<String>), deliveries::next_at.eq(now.0));
    let held = deliveries::table.filter(deliveries::lease.eq(lease)).filter(deliveries::next_at.is_not_null());
    match webhook_id {
        Some(id) => diesel::update(held.filter(deliveries::webhook_id.eq(id))).set(back).execute(conn),
        None => diesel::update(held).set(back).execute(conn),
    }
}

/// Gives back what anybody had: for the only server of a SQLite file, whose forerunner was killed.
pub fn release_all(conn: &mut Conn, now: Timestamp) -> QueryResult<usize> {
    diesel::update(deliveries::table.filter(deliveries::lease.is_not_null()).filter(deliveries::next_at.is_not_null()))
        .set((deliveries::lease.eq(None::<String>), deliveries::next_at.eq(now.0)))
        .execute(conn)
}

/// Removes some that were settled and are older than this.
pub fn forget(conn: &mut Conn, before: Timestamp, at_most: i64) -> QueryResult<usize> {
    let old: Vec<i64> = deliveries::table
        .filter(deliveries::next_at.is_null())
        .filter(deliveries::created_at.lt(before.0))
        .order((deliveries::created_at, deliveries::id))
        .select(deliveries::id)
        .limit(at_most)
        .load(conn)?;
    diesel::delete(deliveries::table.filter(deliveries::id.eq_any(old))).execute(conn)
}

/// Whether there are such.
pub fn any_older(conn: &mut Conn, before: Timestamp) -> QueryResult<bool> {
    let old = deliveries::table.filter(deliveries::next_at.is_null()).filter(deliveries::created_at.lt(before.0));
    diesel::select(exists(old)).get_result(conn)
}
