//! A list of categories: what may be asked, and how it is found.

use super::model::{Category, Counted};
use super::service;
use super::store::Order;
use crate::caller::Caller;
use crate::db::Conn;
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::web::cut::Fields;
use crate::web::list::{Listing, Params};
use crate::web::sorted::Sorted;

/// By what it can be sorted.
const COLUMNS: [(&str, Order); 3] = [("id", Order::Id), ("name", Order::Name), ("created_at", Order::CreatedAt)];

/// The members of a category that is shown.
const SHOWN: [&str; 7] = ["id", "name", "description", "version", "created_at", "updated_at", "item_count"];

/// A list that somebody asked for.
#[derive(Debug, Clone)]
pub struct Query {
    contains: Option<String>,
    /// What of each category.
    pub fields: Fields,
    sorted: Sorted<Order>,
}

impl Query {
    /// Reads a list's query string: `q` (part of the name), `fields`, `sort` and a window. By name without a sort.
    ///
    /// # Errors
    /// 400 for a bad window or cursor, 422 with every other mistake.
    pub fn parse(params: &Params, path: &str, key: [u8; 32]) -> Result<Self, Error> {
        let contains = params.get("q").map(|q| q.trim().to_lowercase()).filter(|q| !q.is_empty());
        let mut errors = FieldErrors::default();
        let fields = Fields::parse(params, SHOWN.into_iter(), &mut errors);
        let sorted = Sorted::parse(params, path, key, &COLUMNS, ("name", Order::Name), errors)?;
        Ok(Self { contains, fields, sorted })
    }

    fn place(&self, of: &Category) -> (String, i64) {
        let key = match self.sorted.span.order {
            Order::Name => of.name_key.clone(),
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
pub fn find(conn: &mut Conn, caller: &Caller, query: &Query) -> Result<Listing<Counted>, Error> {
    let contains = query.contains.as_deref();
    let total = if query.sorted.window.counts() { Some(service::total(conn, contains)?) } else { None };
    let rows = service::list(conn, caller, contains, &query.sorted.span)?;
    Ok(query.sorted.listing(rows, total, |last| query.place(&last.category)))
}
