//! Lists of users.

use diesel::dsl::IntoBoxed;
use diesel::prelude::*;

use crate::db::portable::contains as pattern;
use crate::db::schema::users;
use crate::db::{Conn, MultiBackend};
use crate::users::model::User;
use crate::web::sorted::Span;

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
    /// Whether they have chosen a password.
    pub has_password: Option<bool>,
}

/// By what a list can be ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// By id.
    Id,
    /// By name, without regard to case.
    Username,
    /// By e-mail address.
    Email,
    /// By age of the account.
    CreatedAt,
    /// By last sign-in; who never signed in comes before all others.
    LastLoginAt,
}

diesel::define_sql_function!(
    /// Lower-case; on SQLite of ASCII letters only.
    fn lower(text: diesel::sql_types::Nullable<diesel::sql_types::Text>) -> diesel::sql_types::Nullable<diesel::sql_types::Text>
);

diesel::define_sql_function!(
    /// The first that is not null.
    fn coalesce(one: diesel::sql_types::Nullable<diesel::sql_types::BigInt>, other: diesel::sql_types::BigInt) -> diesel::sql_types::BigInt
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
    match filter.has_password {
        Some(true) => query = query.filter(users::password_hash.is_not_null()),
        Some(false) => query = query.filter(users::password_hash.is_null()),
        None => {}
    }
    query
}

/// A page of users.
pub fn list(conn: &mut Conn, filter: &Filter, page: &Span<Order>) -> QueryResult<Vec<User>> {
    let signed_in = || coalesce(users::last_login_at, 0);
    let mut query = filtered(users::table.into_boxed(), filter);
    if let Some((key, id)) = page.after.clone() {
        let number = key.parse::<i64>().unwrap_or_default();
        query = match (page.order, page.descending) {
            (Order::Username, false) => query.filter(users::username_key.gt(key)),
            (Order::Username, true) => query.filter(users::username_key.lt(key)),
            (Order::Email, false) => query.filter(users::email.gt(key)),
            (Order::Email, true) => query.filter(users::email.lt(key)),
            (Order::LastLoginAt, false) => {
                query.filter(signed_in().gt(number).or(signed_in().eq(number).and(users::id.gt(id))))
            }
            (Order::LastLoginAt, true) => {
                query.filter(signed_in().lt(number).or(signed_in().eq(number).and(users::id.lt(id))))
            }
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
        (Order::Email, false) => query.order(users::email.asc()),
        (Order::Email, true) => query.order(users::email.desc()),
        (Order::LastLoginAt, false) => query.order((signed_in().asc(), users::id.asc())),
        (Order::LastLoginAt, true) => query.order((signed_in().desc(), users::id.desc())),
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
