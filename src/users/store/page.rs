//! Lists of users.

use diesel::dsl::IntoBoxed;
use diesel::prelude::*;

use crate::db::portable::contains as pattern;
use crate::db::schema::users;
use crate::db::{Conn, MultiBackend};
use crate::users::model::User;

/// Which users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Part of the name, the e-mail address or the full name; lower-cased.
    pub contains: Option<String>,
    /// Part of the name; lower-cased.
    pub username: Option<String>,
    /// At least so old, in years.
    pub min_age: Option<i32>,
    /// Of this role.
    pub role: Option<String>,
    /// Active or not.
    pub is_active: Option<bool>,
}

/// By what a list can be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By id.
    Id,
    /// By name, without regard to case.
    Username,
    /// By age of the account.
    CreatedAt,
}

/// Where a page of a list begins and how it goes on.
#[derive(Debug, Clone)]
pub struct Page {
    /// Which users.
    pub filter: Filter,
    /// The order.
    pub order: Order,
    /// Largest first.
    pub descending: bool,
    /// After this row: its key and id.
    pub after: Option<(String, i64)>,
    /// Rows to leave out at the start.
    pub skip: i64,
    /// Rows to give at most.
    pub limit: i64,
}

diesel::define_sql_function!(
    /// Lower-case; on SQLite of ASCII letters only.
    fn lower(text: diesel::sql_types::Nullable<diesel::sql_types::Text>) -> diesel::sql_types::Nullable<diesel::sql_types::Text>
);

type Boxed<'q> = IntoBoxed<'q, users::table, MultiBackend>;

fn filtered<'q>(mut query: Boxed<'q>, filter: &Filter) -> Boxed<'q> {
    if let Some(text) = &filter.contains {
        let pattern = pattern(text);
        query = query.filter(
            users::username_key
                .like(pattern.clone())
                .escape('\\')
                .or(users::email.like(pattern.clone()).escape('\\'))
                .or(lower(users::full_name).like(pattern).escape('\\')),
        );
    }
    if let Some(text) = &filter.username {
        query = query.filter(users::username_key.like(pattern(text)).escape('\\'));
    }
    if let Some(age) = filter.min_age {
        query = query.filter(users::age.ge(age));
    }
    if let Some(role) = &filter.role {
        query = query.filter(users::role.eq(role.clone()));
    }
    if let Some(active) = filter.is_active {
        query = query.filter(users::is_active.eq(active));
    }
    query
}

/// A page of users.
pub fn list(conn: &mut Conn, page: &Page) -> QueryResult<Vec<User>> {
    let mut query = filtered(users::table.into_boxed(), &page.filter);
    if let Some((key, id)) = page.after.clone() {
        let number = key.parse::<i64>().unwrap_or_default();
        query = match (page.order, page.descending) {
            (Order::Username, false) => query.filter(users::username_key.gt(key)),
            (Order::Username, true) => query.filter(users::username_key.lt(key)),
            (Order::CreatedAt, false) => {
                query.filter(users::created_at.gt(number).or(users::created_at.eq(number).and(users::id.gt(id))))
            }
            (Order::CreatedAt, true) => {
                query.filter(users::created_at.lt(number).or(users::created_at.eq(number).and(users::id.lt(id))))
            }
            (Order::Id, false) => query.filter(users::id.gt(id)),
            (Order::Id, true) => query.filter(users::id.lt(id)),
        };
    }
    query = match (page.order, page.descending) {
        (Order::Username, false) => query.order(users::username_key.asc()),
        (Order::Username, true) => query.order(users::username_key.desc()),
        (Order::CreatedAt, false) => query.order((users::created_at.asc(), users::id.asc())),
        (Order::CreatedAt, true) => query.order((users::created_at.desc(), users::id.desc())),
        (Order::Id, false) => query.order(users::id.asc()),
        (Order::Id, true) => query.order(users::id.desc()),
    };
    query.limit(page.limit).offset(page.skip).load(conn)
}

/// How many users a filter leaves.
pub fn count(conn: &mut Conn, filter: &Filter) -> QueryResult<i64> {
    filtered(users::table.into_boxed(), filter).count().get_result(conn)
}
