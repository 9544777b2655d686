//! A list of users: what may be asked, and how it is found.

use serde_json::Value;

use super::model::User;
use super::store::page::{self, Filter, Order, Page};
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
    /// Reads a list's query string: `q`, `username`, `min_age`, `role`, `is_active`, `sort` and a window.
    ///
    /// # Errors
    /// 400 for a bad window or cursor, 422 with every other mistake.
    pub fn parse(params: &Params, path: &str, key: [u8; 32]) -> Result<Self, Error> {
        let mut errors = FieldErrors::default();
        let window = Window::parse(params, &mut errors)?;
        let sort = params.get("sort").unwrap_or("id");
        let (descending, column) = sort.strip_prefix('-').map_or((false, sort), |column| (true, column));
        let order = match column {
            "id" => Order::Id,
            "username" => Order::Username,
            "created_at" => Order::CreatedAt,
            _ => {
                errors.add("sort", "unknown", "must be one of id, username, created_at, with - for largest first");
                Order::Id
            }
        };
        let part = |name: &str| params.get(name).map(|text| text.trim().to_lowercase()).filter(|text| !text.is_empty());
        let role = part("role");
        if role.as_ref().is_some_and(|role| role.parse::<crate::caller::Role>().is_err()) {
            errors.add("role", "format", "must be admin, user or guest");
        }
        let filter = Filter {
            contains: part("q"),
            username: part("username"),
            // A bound beyond what fits leaves nobody, one below it whoever has an age.
            min_age: params
                .integer("min_age", &mut errors)
                .map(|age| i32::try_from(age.clamp(i32::MIN.into(), i32::MAX.into())).unwrap_or(i32::MAX)),
            role,
            is_active: params.boolean("is_active", &mut errors),
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
        let page = Page { filter, order, descending, after, skip, limit: limit + 1 };
        Ok(Self { window, page, context, key })
    }

    fn cursor_after(&self, last: &User) -> String {
        let key = match self.page.order {
            Order::Username => last.username_key.clone(),
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
pub fn find(conn: &mut Conn, query: &Query) -> Result<Listing<User>, Error> {
    let total = if query.window.counts() { Some(page::count(conn, &query.page.filter)?) } else { None };
    let rows = page::list(conn, &query.page)?;
    Ok(Listing::cut(rows, total, query.window.clone(), |last| query.cursor_after(last)))
}
