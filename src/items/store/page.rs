//! Lists of items. The statement is put together here and not by Diesel's query builder: keyset paging needs
//! row values (`(price, id) > (?, ?)`, which an index answers at any depth), and full text differs between
//! the databases. Every value is bound, and each shape of the statement stays prepared.

use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Bool, Text};

use crate::db::schema::items;
use crate::db::{Conn, MultiBackend};
use crate::items::model::{Item, Visible};
use crate::search;

/// Which items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filter {
    /// What the caller may know of.
    pub visible: Visible,
    /// Words that must be there.
    pub query: Option<search::Query>,
    /// Of this category.
    pub category_id: Option<i64>,
    /// Of this owner.
    pub owner_id: Option<i64>,
    /// Active or not.
    pub is_active: Option<bool>,
    /// At least this price, in ten-thousandths.
    pub min_price: Option<i64>,
    /// At most this price, in ten-thousandths.
    pub max_price: Option<i64>,
    /// Made at or after this, in microseconds.
    pub created_after: Option<i64>,
    /// Made at or before this, in microseconds.
    pub created_before: Option<i64>,
    /// Ids up to this one, itself included.
    pub id_to: Option<i64>,
    /// Ids from this one on, itself included.
    pub id_from: Option<i64>,
}

impl Filter {
    /// Everything that the caller may know of.
    pub fn all(visible: Visible) -> Self {
        Self {
            visible,
            query: None,
            category_id: None,
            owner_id: None,
            is_active: None,
            min_price: None,
            max_price: None,
            created_after: None,
            created_before: None,
            id_to: None,
            id_from: None,
        }
    }

    /// Whether nothing narrows it.
    pub fn is_open(&self) -> bool {
        *self == Self::all(self.visible)
    }
}

/// By what a list can be sorted; each has an index that ends in the id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Column {
    /// By id.
    Id,
    /// By name, without regard to (ASCII) case.
    Name,
    /// By code; without one first.
    Sku,
    /// By price.
    Price,
    /// By age.
    CreatedAt,
    /// By last change.
    UpdatedAt,
}

impl Column {
    /// All of them, as they are called.
    pub const ALL: [(&'static str, Self); 6] = [
        ("id", Self::Id),
        ("name", Self::Name),
        ("sku", Self::Sku),
        ("price", Self::Price),
        ("created_at", Self::CreatedAt),
        ("updated_at", Self::UpdatedAt),
    ];

    fn sql(self) -> &'static str {
        match self {
            Self::Id => "items.id",
            Self::Name => "lower(items.name)",
            Self::Sku => "coalesce(items.sku, '')",
            Self::Price => "items.price",
            Self::CreatedAt => "items.created_at",
            Self::UpdatedAt => "items.updated_at",
        }
    }

    /// Where an item stands in this order.
    pub fn key(self, item: &Item) -> Key {
        match self {
            Self::Id => Key::Number(item.id),
            Self::Name => Key::Text(item.name.to_ascii_lowercase()),
            Self::Sku => Key::Text(item.sku.clone().unwrap_or_default()),
            Self::Price => Key::Number(item.price),
            Self::CreatedAt => Key::Number(item.created_at.0),
            Self::UpdatedAt => Key::Number(item.updated_at.0),
        }
    }
}

/// A value of a sort column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Key {
    /// Of a number or a time.
    Number(i64),
    /// Of a text.
    Text(String),
}

/// One column of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct By {
    /// The column.
    pub column: Column,
    /// Largest first.
    pub descending: bool,
}

/// A page of a list: the statement itself.
#[derive(Debug, Clone)]
pub struct Page<'f> {
    filter: &'f Filter,
    /// Ends in the id, which breaks ties.
    order: Vec<By>,
    after: Option<&'f [Key]>,
    limit: i64,
    offset: i64,
    words: Words,
}

/// How many there are: the statement itself.
#[derive(Debug, Clone)]
struct Count<'f> {
    filter: &'f Filter,
    words: Words,
}

/// The full-text condition as this database wants it.
#[derive(Debug, Clone)]
enum Words {
    None,
    Fts5(String),
    Tsquery(String),
}

impl Words {
    fn of(conn: &Conn, filter: &Filter) -> Self {
        match (&filter.query, conn) {
            (None, _) => Self::None,
            (Some(query), Conn::Sqlite(_)) => Self::Fts5(query.fts5()),
            (Some(query), Conn::Postgres(_)) => Self::Tsquery(query.tsquery()),
        }
    }

    /// The column that stands for the item's id: with a search, the index's own, so that it can be read in
    /// that order.
    fn id(&self) -> &'static str {
        match self {
            Self::None => "items.id",
            Self::Fts5(_) => "item_search.rowid",
            Self::Tsquery(_) => "item_search.item_id",
        }
    }

    fn from<'b>(&'b self, pass: &mut AstPass<'_, 'b, MultiBackend>) -> QueryResult<()> {
        match self {
            Self::None => pass.push_sql(" FROM items WHERE 1 = 1"),
            Self::Fts5(query) => {
                // CROSS JOIN keeps SQLite's planner from starting at the items.
                pass.push_sql(
                    " FROM item_search CROSS JOIN items ON items.id = item_search.rowid WHERE item_search MATCH ",
                );
                pass.push_bind_param::<Text, String>(query)?;
            }
            Self::Tsquery(query) => {
                pass.push_sql(
                    " FROM item_search JOIN items ON items.id = item_search.item_id WHERE item_search.words @@ CAST(",
                );
                pass.push_bind_param::<Text, String>(query)?;
                pass.push_sql(" AS tsquery)");
            }
        }
        Ok(())
    }
}

/// The complete order for what was asked: ends in the id, in the direction of the column before it.
pub fn complete(order: &[By]) -> Vec<By> {
    let end = order.iter().position(|by| by.column == Column::Id).map_or(order.len(), |at| at + 1);
    let mut whole: Vec<By> = order.iter().take(end).copied().collect();
    if whole.last().is_none_or(|by| by.column != Column::Id) {
        let descending = whole.last().is_some_and(|by| by.descending);
        whole.push(By { column: Column::Id, descending });
    }
    whole
}

/// A page of items; `order` as [`complete`] makes it, `after` with a key for each of its columns.
pub fn list(
    conn: &mut Conn,
    filter: &Filter,
    order: &[By],
    after: Option<&[Key]>,
    offset: i64,
    limit: i64,
) -> QueryResult<Vec<Item>> {
    let words = Words::of(conn, filter);
    Page { filter, order: order.to_vec(), after, limit, offset, words }.load(conn)
}

/// How many items a filter leaves, exactly.
pub fn count(conn: &mut Conn, filter: &Filter) -> QueryResult<i64> {
    let words = Words::of(conn, filter);
    Count { filter, words }.get_result(conn)
}

fn push_filter<'b>(filter: &'b Filter, words: &Words, pass: &mut AstPass<'_, 'b, MultiBackend>) -> QueryResult<()> {
    match &filter.visible {
        Visible::All => {}
        Visible::Active => {
            pass.push_sql(" AND items.is_active = ");
            pass.push_bind_param::<Bool, bool>(&true)?;
        }
        Visible::ActiveOrOf(owner) => {
            pass.push_sql(" AND (items.is_active = ");
            pass.push_bind_param::<Bool, bool>(&true)?;
            pass.push_sql(" OR items.owner_id = ");
            pass.push_bind_param::<BigInt, i64>(owner)?;
            pass.push_sql(")");
        }
    }
    if let Some(active) = &filter.is_active {
        pass.push_sql(" AND items.is_active = ");
        pass.push_bind_param::<Bool, bool>(active)?;
    }
    let numbers = [
        ("items.category_id = ", &filter.category_id),
        ("items.owner_id = ", &filter.owner_id),
        ("items.price >= ", &filter.min_price),
        ("items.price <= ", &filter.max_price),
        ("items.created_at >= ", &filter.created_after),
        ("items.created_at <= ", &filter.created_before),
    ];
    for (condition, value) in numbers {
        if let Some(value) = value {
            pass.push_sql(" AND ");
            pass.push_sql(condition);
            pass.push_bind_param::<BigInt, i64>(value)?;
        }
    }
    for (comparison, value) in [(" <= ", &filter.id_to), (" >= ", &filter.id_from)] {
        if let Some(value) = value {
            pass.push_sql(" AND ");
            pass.push_sql(words.id());
            pass.push_sql(comparison);
            pass.push_bind_param::<BigInt, i64>(value)?;
        }
    }
    Ok(())
}

impl Page<'_> {
    fn column(&self, by: By) -> &'static str {
        if by.column == Column::Id { self.words.id() } else { by.column.sql() }
    }

    /// Everything behind the row with these keys. In one direction it is one comparison of rows, which the
    /// index answers; in mixed directions it is spelled out: (a > x) OR (a = x AND b < y) OR …
    fn push_after<'b>(&'b self, keys: &'b [Key], pass: &mut AstPass<'_, 'b, MultiBackend>) -> QueryResult<()> {
        let one_way = self.order.windows(2).all(|pair| matches!(pair, [a, b] if a.descending == b.descending));
        let sign = |by: &By| if by.descending { " < " } else { " > " };
        if let (true, Some(first)) = (one_way, self.order.first()) {
            pass.push_sql(" AND (");
            for (n, by) in self.order.iter().enumerate() {
                pass.push_sql(if n == 0 { "" } else { ", " });
                pass.push_sql(self.column(*by));
            }
            pass.push_sql(")");
            pass.push_sql(sign(first));
            pass.push_sql("(");
            for (n, key) in keys.iter().enumerate() {
                pass.push_sql(if n == 0 { "" } else { ", " });
                push_key(key, pass)?;
            }
            pass.push_sql(")");
            return Ok(());
        }
        pass.push_sql(" AND (");
        for (n, (by, key)) in self.order.iter().zip(keys).enumerate() {
            pass.push_sql(if n == 0 { "(" } else { " OR (" });
            for (equal, key) in self.order.iter().zip(keys).take(n) {
                pass.push_sql(self.column(*equal));
                pass.push_sql(" = ");
                push_key(key, pass)?;
                pass.push_sql(" AND ");
            }
            pass.push_sql(self.column(*by));
            pass.push_sql(sign(by));
            push_key(key, pass)?;
            pass.push_sql(")");
        }
        pass.push_sql(")");
        Ok(())
    }
}

fn push_key<'b>(key: &'b Key, pass: &mut AstPass<'_, 'b, MultiBackend>) -> QueryResult<()> {
    match key {
        Key::Number(number) => pass.push_bind_param::<BigInt, i64>(number),
        Key::Text(text) => pass.push_bind_param::<Text, String>(text),
    }
}

impl QueryFragment<MultiBackend> for Page<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, MultiBackend>) -> QueryResult<()> {
        // The columns in the order of `items::SqlType`.
        pass.push_sql(
            "SELECT items.id, items.sku, items.name, items.description, items.price, items.currency, items.tax_rate, \
             items.is_active, items.category_id, items.owner_id, items.version, items.created_at, items.updated_at",
        );
        self.words.from(&mut pass)?;
        push_filter(self.filter, &self.words, &mut pass)?;
        if let Some(keys) = self.after {
            self.push_after(keys, &mut pass)?;
        }
        for (n, by) in self.order.iter().enumerate() {
            pass.push_sql(if n == 0 { " ORDER BY " } else { ", " });
            pass.push_sql(self.column(*by));
            if by.descending {
                pass.push_sql(" DESC");
            }
        }
        pass.push_sql(" LIMIT ");
        pass.push_bind_param::<BigInt, i64>(&self.limit)?;
        if self.offset > 0 {
            pass.push_sql(" OFFSET ");
            pass.push_bind_param::<BigInt, i64>(&self.offset)?;
        }
        Ok(())
    }
}

impl QueryFragment<MultiBackend> for Count<'_> {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, MultiBackend>) -> QueryResult<()> {
        pass.push_sql("SELECT count(*)");
        self.words.from(&mut pass)?;
        push_filter(self.filter, &self.words, &mut pass)
    }
}

// The shape depends on values, so a statement is kept under its text and not under its type.
impl QueryId for Page<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
impl QueryId for Count<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
impl Query for Page<'_> {
    type SqlType = items::SqlType;
}
impl Query for Count<'_> {
    type SqlType = BigInt;
}
impl RunQueryDsl<Conn> for Page<'_> {}
impl RunQueryDsl<Conn> for Count<'_> {}
