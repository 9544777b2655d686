//! A list of uploads: what may be asked, and how it is found.

use super::model::Upload;
use super::store::{self, Order};
use crate::caller::Caller;
use crate::db::Conn;
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::web::list::{Listing, Params};
use crate::web::sorted::Sorted;

/// By what it can be sorted. What comes later has the larger id.
const COLUMNS: [(&str, Order); 4] =
    [("id", Order::Id), ("created_at", Order::Id), ("filename", Order::Filename), ("size", Order::Size)];

/// A list that somebody asked for.
#[derive(Debug, Clone)]
pub struct Query {
    owner_id: Option<i64>,
    sorted: Sorted<Order>,
}

impl Query {
    /// Reads a list's query string: `owner_id` (of use to admins: others see their own), `sort` and a window.
    /// Newest first without a sort.
    ///
    /// # Errors
    /// 400 for a bad window or cursor, 422 with every other mistake.
    pub fn parse(params: &Params, path: &str, caller: &Caller, key: [u8; 32]) -> Result<Self, Error> {
        let mut errors = FieldErrors::default();
        let asked = params.integer("owner_id", &mut errors);
        let own = caller.user_id().unwrap_or_default();
        let owner_id = match asked {
            _ if caller.is_admin() => asked,
            // Nobody has id 0.
            Some(other) if other != own => Some(0),
            _ => Some(own),
        };
        let sorted = Sorted::parse(params, path, key, &COLUMNS, ("-id", Order::Id), errors)?;
        Ok(Self { owner_id, sorted })
    }

    fn place(&self, of: &Upload) -> (String, i64) {
        let key = match self.sorted.span.order {
            Order::Filename => of.filename.clone(),
            Order::Size => of.size.to_string(),
            Order::Id => of.id.to_string(),
        };
        (key, of.id)
    }
}

/// Finds a list.
///
/// # Errors
/// Only the database's.
pub fn find(conn: &mut Conn, query: &Query) -> Result<Listing<Upload>, Error> {
    let total = if query.sorted.window.counts() { Some(store::count(conn, query.owner_id)?) } else { None };
    let rows = store::list(conn, query.owner_id, &query.sorted.span)?;
    Ok(query.sorted.listing(rows, total, |last| query.place(last)))
}
