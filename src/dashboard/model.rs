//! The words: the figures, and for whom they are counted.

use serde::Serialize;

/// For whom figures are counted: what one may not see is in none of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Admins: everything.
    Admins,
    /// All others: what everybody may see.
    Everybody,
}

/// The catalogue in figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Items.
    pub items: i64,
    /// Of these, the active ones.
    pub active_items: i64,
    /// Categories.
    pub categories: i64,
    /// Users; for admins only.
    pub users: Option<i64>,
    /// Posts.
    pub posts: i64,
    /// Most items first: the thousand largest.
    pub items_per_category: Vec<InCategory>,
    /// The last thirty days in UTC, today the last of them.
    pub created_per_day: Vec<OnDay>,
}

/// How many items a category has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct InCategory {
    /// The category.
    pub id: i64,
    /// Its name.
    pub name: String,
    /// Its items.
    pub count: i64,
}

/// How many of the items that there are now were made on a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OnDay {
    /// `2026-11-21`, in UTC.
    pub date: String,
    /// Items made.
    pub count: i64,
}
