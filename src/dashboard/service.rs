//! How the figures are counted.

use super::model::{Audience, InCategory, OnDay, Stats};
use super::store;
use crate::db::effects::counter;
use crate::db::{Conn, snapshot};
use crate::error::Error;
use crate::time::Timestamp;
use crate::{categories, items};

/// How many categories are named at most.
const CATEGORIES: usize = 1_000;
/// How many days are counted.
const DAYS: i64 = 30;
/// Microseconds.
const DAY: i64 = 86_400_000_000;

/// The catalogue in figures, at this moment.
///
/// # Errors
/// Only the database's.
pub fn stats(conn: &mut Conn, audience: Audience, now: Timestamp) -> Result<Stats, Error> {
    snapshot(conn, |conn| {
        let all = audience == Audience::Admins;
        let active_items = counter(conn, items::store::ACTIVE)?;
        let counts = store::counts(conn, if all { "items:category:" } else { "items:active:category:" })?;
        let mut items_per_category: Vec<InCategory> = categories::store::all(conn)?
            .into_iter()
            .map(|c| InCategory { id: c.id, name: c.name, count: counts.get(&c.id).copied().unwrap_or_default() })
            .collect();
        // Of as many, those by name stay in their order.
        items_per_category.sort_by_key(|category| std::cmp::Reverse(category.count));
        items_per_category.truncate(CATEGORIES);
        let today = now.0.div_euclid(DAY);
        let first = today - DAYS + 1;
        let made = store::created_per_day(conn, Timestamp(first * DAY), !all)?;
        let on_day = |day: i64| OnDay {
            date: Timestamp(day * DAY).rfc3339().chars().take(10).collect(),
            count: made.get(&day).copied().unwrap_or_default(),
        };
        Ok(Stats {
            items: if all { counter(conn, items::store::TOTAL)? } else { active_items },
            active_items,
            categories: counter(conn, categories::store::TOTAL)?,
            users: if all { Some(store::users(conn)?) } else { None },
            posts: 0,
            items_per_category,
            created_per_day: (first..=today).map(on_day).collect(),
        })
    })
}
