//! A list of users: what may be asked, and how it is found.

use super::model::{Status, User};
use super::store::page::{self, Filter, Order};
use crate::db::Conn;
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::web::cut::Fields;
use crate::web::list::{Listing, Params};
use crate::web::sorted::Sorted;

/// By what it can be sorted.
const COLUMNS: [(&str, Order); 5] = [
    ("id", Order::Id),
    ("username", Order::Username),
    ("email", Order::Email),
    ("created_at", Order::CreatedAt),
    ("last_login_at", Order::LastLoginAt),
];

/// The members of a user that is shown.
const SHOWN: [&str; 11] = [
    "id",
    "email",
    "username",
    "full_name",
    "age",
    "website",
    "role",
    "is_active",
    "created_at",
    "updated_at",
    "last_login_at",
];

/// A list that somebody asked for.
#[derive(Debug, Clone)]
pub struct Query {
    filter: Filter,
    /// What of each user.
    pub fields: Fields,
    sorted: Sorted<Order>,
}

impl Query {
    /// Reads a list's query string: `q`, `username`, `min_age`, `role`, `is_active`, `fields`, `sort` and a window.
    ///
    /// # Errors
    /// 400 for a bad window or cursor, 422 with every other mistake.
    pub fn parse(params: &Params, path: &str, key: [u8; 32]) -> Result<Self, Error> {
        Self::parse_or(params, path, key, ("id", Order::Id))
    }

    /// As [`Query::parse`], in another order when none is asked for.
    ///
    /// # Errors
    /// As [`Query::parse`].
    pub fn parse_or(params: &Params, path: &str, key: [u8; 32], default: (&str, Order)) -> Result<Self, Error> {
        let mut errors = FieldErrors::default();
        let part = |name: &str| params.get(name).map(|text| text.trim().to_lowercase()).filter(|text| !text.is_empty());
        let role = part("role");
        // A bound beyond what fits leaves nobody, one below it whoever has an age.
        let min_age = params
            .integer("min_age", &mut errors)
            .map(|age| i32::try_from(age.clamp(i32::MIN.into(), i32::MAX.into())).unwrap_or(i32::MAX));
        if role.as_ref().is_some_and(|role| role.parse::<crate::caller::Role>().is_err()) {
            errors.add("role", "format", "must be admin, user or guest");
        }
        let filter = Filter {
            contains: part("q"),
            username: part("username"),
            min_age,
            role,
            is_active: params.boolean("is_active", &mut errors),
            has_password: None,
        };
        let fields = Fields::parse(params, SHOWN.into_iter(), &mut errors);
        let sorted = Sorted::parse(params, path, key, &COLUMNS, default, errors)?;
        Ok(Self { filter, fields, sorted })
    }

    /// Only those who are in this state.
    #[must_use]
    pub fn only(mut self, status: Option<Status>) -> Self {
        if let Some(status) = status {
            self.filter.is_active = Some(status != Status::Inactive);
            self.filter.has_password = match status {
                Status::Active => Some(true),
                Status::Invited => Some(false),
                Status::Inactive => None,
            };
        }
        self
    }

    fn place(&self, of: &User) -> (String, i64) {
        let key = match self.sorted.span.order {
            Order::Username => of.username_key.clone(),
            Order::Email => of.email.clone(),
            Order::CreatedAt => of.created_at.0.to_string(),
            Order::LastLoginAt => of.last_login_at.map_or(0, |at| at.0).to_string(),
            Order::Id => of.id.to_string(),
        };
        (key, of.id)
    }
}

/// Finds a list.
///
/// # Errors
/// Only the database's.
pub fn find(conn: &mut Conn, query: &Query) -> Result<Listing<User>, Error> {
    let total = if query.sorted.window.counts() { Some(page::count(conn, &query.filter)?) } else { None };
    let rows = page::list(conn, &query.filter, &query.sorted.span)?;
    Ok(query.sorted.listing(rows, total, |last| query.place(last)))
}
