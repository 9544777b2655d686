//! A list of API keys: what may be asked, and how it is found.

use crate::auth::model::api_key::ApiKey;
use crate::auth::store::api_keys::{self as store, Filter, Order};
use crate::caller::Caller;
use crate::db::Conn;
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::web::cut::Fields;
use crate::web::list::{Listing, Params};
use crate::web::sorted::Sorted;

/// By what a list can be sorted.
const COLUMNS: [(&str, Order); 4] =
    [("id", Order::Id), ("name", Order::Name), ("created_at", Order::CreatedAt), ("expires_at", Order::ExpiresAt)];

/// The members of a key that is shown.
const SHOWN: [&str; 9] =
    ["id", "user_id", "name", "prefix", "scopes", "expires_at", "last_used_at", "revoked_at", "created_at"];

/// A list that somebody asked for.
#[derive(Debug, Clone)]
pub struct Query {
    filter: Filter,
    /// What of each key.
    pub fields: Fields,
    sorted: Sorted<Order>,
}

impl Query {
    /// Reads a list's query string: `user_id`, `fields`, `sort` and a window. Who is no admin finds only their own.
    ///
    /// # Errors
    /// 400 for a bad window or cursor, 422 with every other mistake.
    pub fn parse(
        params: &Params,
        path: &str,
        caller: &Caller,
        key: [u8; 32],
        default: (&str, Order),
    ) -> Result<Self, Error> {
        let mut errors = FieldErrors::default();
        let user_id = params.integer("user_id", &mut errors);
        let visible_of = if caller.is_admin() { None } else { Some(caller.user_id().unwrap_or_default()) };
        // Two callers may know of different keys; a cursor is of one view.
        let view = format!("{visible_of:?} {path}");
        let fields = Fields::parse(params, SHOWN.into_iter(), &mut errors);
        let sorted = Sorted::parse(params, &view, key, &COLUMNS, default, errors)?;
        Ok(Self { filter: Filter { user_id, visible_of }, fields, sorted })
    }

    /// The same list of one owner's keys.
    pub fn of(mut self, user_id: i64) -> Self {
        self.filter.visible_of = Some(user_id);
        self
    }
}

/// Finds a list.
///
/// # Errors
/// Only the database's.
pub fn find(conn: &mut Conn, query: &Query) -> Result<Listing<ApiKey>, Error> {
    let counts = query.sorted.window.counts();
    let total = if counts { Some(store::count(conn, &query.filter)?) } else { None };
    let rows = store::list(conn, &query.filter, &query.sorted.span)?;
    let order = query.sorted.span.order;
    Ok(query.sorted.listing(rows, total, |last| {
        let key = match order {
            Order::Id => last.id.to_string(),
            Order::Name => last.name.clone(),
            Order::CreatedAt => last.created_at.0.to_string(),
            Order::ExpiresAt => last.expires_at.0.to_string(),
        };
        (key, last.id)
    }))
}
