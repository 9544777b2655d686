//! A list of posts: what may be asked, and how it is found.

use super::model::{Post, Visible};
use super::service;
use super::store::{self, Filter, Order};
use crate::caller::Caller;
use crate::db::Conn;
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::web::list::{Listing, Params};
use crate::web::sorted::Sorted;

/// By what it can be sorted.
const COLUMNS: [(&str, Order); 3] = [("id", Order::Id), ("title", Order::Title), ("created_at", Order::CreatedAt)];

/// A list that somebody asked for.
#[derive(Debug, Clone)]
pub struct Query {
    filter: Filter,
    sorted: Sorted<Order>,
}

impl Query {
    /// Reads a list's query string: `q` (part of the title), `published`, `author_id`, `sort` and a window.
    /// Newest first without a sort.
    ///
    /// # Errors
    /// 400 for a bad window or cursor, 422 with every other mistake.
    pub fn parse(params: &Params, path: &str, caller: &Caller, key: [u8; 32]) -> Result<Self, Error> {
        let mut errors = FieldErrors::default();
        let filter = Filter {
            visible: Visible::to(caller),
            contains: params.get("q").map(|q| q.trim().to_lowercase()).filter(|q| !q.is_empty()),
            published: params.boolean("published", &mut errors),
            author_id: params.integer("author_id", &mut errors),
        };
        let sorted = Sorted::parse(params, path, key, &COLUMNS, ("-created_at", Order::CreatedAt), errors)?;
        Ok(Self { filter, sorted })
    }

    fn place(&self, of: &Post) -> (String, i64) {
        let key = match self.sorted.span.order {
            Order::Title => of.title_key.clone(),
            Order::CreatedAt => of.created_at.0.to_string(),
            Order::Id => of.id.to_string(),
        };
        (key, of.id)
    }
}

/// Finds a list.
///
/// # Errors
/// Only the database's.
pub fn find(conn: &mut Conn, query: &Query) -> Result<Listing<Post>, Error> {
    let total = if query.sorted.window.counts() { Some(service::total(conn, &query.filter)?) } else { None };
    let rows = store::list(conn, &query.filter, &query.sorted.span)?;
    Ok(query.sorted.listing(rows, total, |last| query.place(last)))
}
