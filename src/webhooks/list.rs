//! Lists of webhooks and of their deliveries: what may be asked, and how it is found.

use super::model::{Shown, State, Webhook};
use super::store::queue::Filter;
use super::store::{self, Order, queue};
use crate::db::Conn;
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::web::list::{Listing, Params};
use crate::web::sorted::Sorted;

/// A list of webhooks that somebody asked for.
#[derive(Debug, Clone)]
pub struct Query {
    is_active: Option<bool>,
    sorted: Sorted<Order>,
}

impl Query {
    /// Reads a list's query string: `is_active`, `sort` and a window. By id without a sort.
    ///
    /// # Errors
    /// 400 for a bad window or cursor, 422 with every other mistake.
    pub fn parse(params: &Params, path: &str, key: [u8; 32]) -> Result<Self, Error> {
        let mut errors = FieldErrors::default();
        let is_active = params.boolean("is_active", &mut errors);
        let columns = [("id", Order::Id), ("created_at", Order::CreatedAt)];
        let sorted = Sorted::parse(params, path, key, &columns, ("id", Order::Id), errors)?;
        Ok(Self { is_active, sorted })
    }
}

/// Finds a list of webhooks.
///
/// # Errors
/// Only the database's.
pub fn find(conn: &mut Conn, query: &Query) -> Result<Listing<Webhook>, Error> {
    let total = if query.sorted.window.counts() { Some(store::count(conn, query.is_active)?) } else { None };
    let rows = store::list(conn, query.is_active, &query.sorted.span)?;
    Ok(query.sorted.listing(rows, total, |last| (last.created_at.0.to_string(), last.id)))
}

/// A list of deliveries that somebody asked for.
#[derive(Debug, Clone)]
pub struct DeliveryQuery {
    filter: Filter,
    sorted: Sorted<()>,
}

impl DeliveryQuery {
    /// Reads a list's query string: `state`, `event`, `sort` and a window. Newest first without a sort.
    ///
    /// # Errors
    /// 400 for a bad window or cursor, 422 with every other mistake.
    pub fn parse(params: &Params, path: &str, key: [u8; 32], webhook_id: i64) -> Result<Self, Error> {
        let mut errors = FieldErrors::default();
        let state = params.get("state").and_then(|text| {
            let found = State::ALL.into_iter().map(State::as_str).find(|state| *state == text);
            if found.is_none() {
                errors.add("state", "unknown", "must be waiting, done or failed");
            }
            found
        });
        let filter = Filter { webhook_id, state, event: params.get("event").map(str::to_owned) };
        let sorted = Sorted::parse(params, path, key, &[("id", ()), ("created_at", ())], ("-id", ()), errors)?;
        Ok(Self { filter, sorted })
    }
}

/// Finds a list of deliveries.
///
/// # Errors
/// Only the database's.
pub fn find_deliveries(conn: &mut Conn, query: &DeliveryQuery) -> Result<Listing<Shown>, Error> {
    let total = if query.sorted.window.counts() { Some(queue::count(conn, &query.filter)?) } else { None };
    let rows = queue::list(conn, &query.filter, &query.sorted.span)?;
    let rows: Vec<(i64, Shown)> = rows.into_iter().map(|row| (row.id, Shown::from(row))).collect();
    let listing = query.sorted.listing(rows, total, |(id, _)| (id.to_string(), *id));
    Ok(Listing {
        rows: listing.rows.into_iter().map(|(_, shown)| shown).collect(),
        total: listing.total,
        has_more: listing.has_more,
        next_cursor: listing.next_cursor,
        window: listing.window,
    })
}
