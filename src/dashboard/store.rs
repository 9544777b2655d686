//! All SQL of the figures.

use std::collections::HashMap;

use diesel::dsl::{count_star, sql};
use diesel::prelude::*;
use diesel::sql_types::BigInt;

use crate::db::Conn;
use crate::db::schema::{counters, items, users};
use crate::time::Timestamp;

/// A day since 1970, in UTC.
const DAY: &str = "created_at / 86400000000";

/// The counters whose names begin so, by the id behind it.
pub fn counts(conn: &mut Conn, prefix: &str) -> QueryResult<HashMap<i64, i64>> {
    let rows: Vec<(String, i64)> = counters::table
        .filter(counters::name.like(format!("{prefix}%")))
        .select((counters::name, counters::value))
        .load(conn)?;
    let mut counts = HashMap::new();
    for (name, value) in rows {
        if let Some(id) = name.strip_prefix(prefix).and_then(|id| id.parse().ok()) {
            *counts.entry(id).or_default() += value;
        }
    }
    Ok(counts)
}

/// How many items were made on each day since then: by days since 1970.
pub fn created_per_day(conn: &mut Conn, since: Timestamp, active_only: bool) -> QueryResult<HashMap<i64, i64>> {
    let recent = items::table.filter(items::created_at.ge(since.0)).group_by(sql::<BigInt>(DAY));
    let select = (sql::<BigInt>(DAY), count_star());
    let rows: Vec<(i64, i64)> = if active_only {
        recent.filter(items::is_active.eq(true)).select(select).load(conn)?
    } else {
        recent.select(select).load(conn)?
    };
    Ok(rows.into_iter().collect())
}

/// How many users there are.
pub fn users(conn: &mut Conn) -> QueryResult<i64> {
    users::table.count().get_result(conn)
}
