//! A list of categories: what may be asked, and how it is found.

use serde_json::Value;

use super::model::{Category, Counted};
use super::service;
use super::store::{Order, Page};
use crate::caller::Caller;
use crate::db::Conn;
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::web::cursor;
use crate::web::list::{Listing, Params, Window};

/// A list that somebody asked for.
#[derive(Debug, Clone)]
pub struct Query {
    /// Which part.
    pub window: Window,
    page: Page,
    context: String,
    key: [u8; 32],
}

impl Query {
    /// Reads a list's query string: `q` (part of the name), `sort` and a window. By name without a sort.
    ///
    /// # Errors
    /// 400 for a bad window or cursor, 422 with every other mistake.
    pub fn parse(params: &Params, path: &str, key: [u8; 32]) -> Result<Self, Error> {
        let mut errors = FieldErrors::default();
        let window = Window::parse(params, &mut errors)?;
        let sort = params.get("sort").unwrap_or("name");
        let (descending, column) = sort.strip_prefix('-').map_or((false, sort), |column| (true, column));
        let order = match column {
            "name" => Order::Name,
            "created_at" => Order::CreatedAt,
            "id" => Order::Id,
            _ => {
                errors.add("sort", "unknown", "must be one of id, name, created_at, with - for largest first");
                Order::Name
            }
        };
        if !errors.is_empty() {
            return Err(Error::Invalid(errors));
        }
        let context = params.context(path);
        let after = match &window {
            Window::Cursor { cursor: Some(text), .. } => Some(cursor::place(&cursor::open(&key, &context, text)?)?),
            _ => None,
        };
        let (skip, limit) = window.span();
        let contains = params.get("q").map(|q| q.trim().to_lowercase()).filter(|q| !q.is_empty());
        let page = Page { contains, order, descending, after, skip, limit: limit + 1 };
        Ok(Self { window, page, context, key })
    }

    fn cursor_after(&self, last: &Category) -> String {
        let key = match self.page.order {
            Order::Name => last.name_key.clone(),
            Order::CreatedAt => last.created_at.0.to_string(),
            Order::Id => last.id.to_string(),
        };
        cursor::seal(&self.key, &self.context, &[Value::from(key), Value::from(last.id)])
    }
}

/// Finds a list.
///
/// # Errors
/// Only the database's.
pub fn find(conn: &mut Conn, caller: &Caller, query: &Query) -> Result<Listing<Counted>, Error> {
    let total = if query.window.counts() { Some(service::total(conn, query.page.contains.as_deref())?) } else { None };
    let rows = service::list(conn, caller, &query.page)?;
    Ok(Listing::cut(rows, total, query.window.clone(), |last| query.cursor_after(&last.category)))
}
