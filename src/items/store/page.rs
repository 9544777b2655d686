//! Lists of items. The statement is put together here and not by Diesel's query builder: keyset paging needs
//! row values (`(price, id) > (?, ?)`, which an index answers at any depth), and full text differs between
//! the databases. Every value is bound, and each shape of the statement stays prepared.

use std::marker::PhantomData;

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Bool, HasSqlType, Text};

use crate::db::Conn;
use crate::db::schema::items;
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

/// A statement, put together piece by piece: text of ours, and values, which are always bound. `T` is what it
/// selects.
#[derive(Debug, Clone)]
struct Statement<T> {
    pieces: Vec<Piece>,
    selects: PhantomData<T>,
}

#[derive(Debug, Clone)]
enum Piece {
    Sql(&'static str),
    Number(i64),
    Text(String),
    Bool(bool),
}

/// The column that stands for the item's id: with a search, the index's own, so that it can be read in that
/// order.
type IdColumn = &'static str;

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
    // The columns in the order of `items::SqlType`.
    let mut statement = Statement::<items::SqlType>::new(
        "SELECT items.id, items.sku, items.name, items.description, items.price, items.currency, items.tax_rate, \
         items.is_active, items.category_id, items.owner_id, items.version, items.created_at, items.updated_at, \
         items.images",
    );
    let id = statement.from(conn, filter);
    statement.filter(filter, id);
    if let Some(keys) = after {
        statement.after(order, keys, id);
    }
    for (n, by) in order.iter().enumerate() {
        statement.sql(if n == 0 { " ORDER BY " } else { ", " });
        statement.sql(by.sql(id));
        statement.sql(if by.descending { " DESC" } else { "" });
    }
    statement.sql(" LIMIT ").number(limit);
    if offset > 0 {
        statement.sql(" OFFSET ").number(offset);
    }
    // On the connection itself: lists are hot, and `MultiConnection` builds the SQL anew each time.
    match conn {
        Conn::Sqlite(conn) => statement.load(conn),
        Conn::Postgres(conn) => statement.load(conn),
    }
}

/// How many items a filter leaves, exactly.
pub fn count(conn: &mut Conn, filter: &Filter) -> QueryResult<i64> {
    let mut statement = Statement::<BigInt>::new("SELECT count(*)");
    let id = statement.from(conn, filter);
    statement.filter(filter, id);
    match conn {
        Conn::Sqlite(conn) => statement.get_result(conn),
        Conn::Postgres(conn) => statement.get_result(conn),
    }
}

impl By {
    fn sql(self, id: IdColumn) -> &'static str {
        if self.column == Column::Id { id } else { self.column.sql() }
    }

    fn beyond(self) -> &'static str {
        if self.descending { " < " } else { " > " }
    }
}

impl<T> Statement<T> {
    fn new(select: &'static str) -> Self {
        let mut pieces = Vec::with_capacity(32);
        pieces.push(Piece::Sql(select));
        Self { pieces, selects: PhantomData }
    }

    fn sql(&mut self, sql: &'static str) -> &mut Self {
        self.pieces.push(Piece::Sql(sql));
        self
    }

    fn number(&mut self, number: i64) -> &mut Self {
        self.pieces.push(Piece::Number(number));
        self
    }

    fn text(&mut self, text: String) -> &mut Self {
        self.pieces.push(Piece::Text(text));
        self
    }

    fn bool(&mut self, value: bool) -> &mut Self {
        self.pieces.push(Piece::Bool(value));
        self
    }

    fn key(&mut self, key: &Key) -> &mut Self {
        match key {
            Key::Number(number) => self.number(*number),
            Key::Text(text) => self.text(text.clone()),
        }
    }

    fn from(&mut self, conn: &Conn, filter: &Filter) -> IdColumn {
        match (&filter.query, conn) {
            (None, _) => {
                self.sql(" FROM items WHERE 1 = 1");
                "items.id"
            }
            (Some(query), Conn::Sqlite(_)) => {
                // CROSS JOIN keeps SQLite's planner from starting at the items.
                self.sql(" FROM item_search CROSS JOIN items ON items.id = item_search.rowid WHERE item_search MATCH ");
                self.text(query.fts5());
                "item_search.rowid"
            }
            (Some(query), Conn::Postgres(_)) => {
                self.sql(
                    " FROM item_search JOIN items ON items.id = item_search.item_id WHERE item_search.words @@ CAST(",
                );
                self.text(query.tsquery()).sql(" AS tsquery)");
                "item_search.item_id"
            }
        }
    }

    fn filter(&mut self, filter: &Filter, id: IdColumn) {
        match filter.visible {
            Visible::All => {}
            Visible::Active => {
                self.sql(" AND items.is_active = ").bool(true);
            }
            Visible::ActiveOrOf(owner) => {
                self.sql(" AND (items.is_active = ").bool(true);
                self.sql(" OR items.owner_id = ").number(owner).sql(")");
            }
        }
        if let Some(active) = filter.is_active {
            self.sql(" AND items.is_active = ").bool(active);
        }
        let numbers = [
            (" AND items.category_id = ", filter.category_id),
            (" AND items.owner_id = ", filter.owner_id),
            (" AND items.price >= ", filter.min_price),
            (" AND items.price <= ", filter.max_price),
            (" AND items.created_at >= ", filter.created_after),
            (" AND items.created_at <= ", filter.created_before),
        ];
        for (condition, value) in numbers {
            if let Some(value) = value {
                self.sql(condition).number(value);
            }
        }
        for (comparison, value) in [(" <= ", filter.id_to), (" >= ", filter.id_from)] {
            if let Some(value) = value {
                self.sql(" AND ").sql(id).sql(comparison).number(value);
            }
        }
    }

    /// Everything behind the row with these keys. In one direction it is one comparison of rows, which the
    /// index answers; in mixed directions it is spelled out: (a > x) OR (a = x AND b < y) OR …
    fn after(&mut self, order: &[By], keys: &[Key], id: IdColumn) {
        let one_way = order.windows(2).all(|pair| matches!(pair, [a, b] if a.descending == b.descending));
        if let (true, Some(first)) = (one_way, order.first()) {
            for (n, by) in order.iter().enumerate() {
                self.sql(if n == 0 { " AND (" } else { ", " }).sql(by.sql(id));
            }
            self.sql(")").sql(first.beyond());
            for (n, key) in keys.iter().enumerate() {
                self.sql(if n == 0 { "(" } else { ", " }).key(key);
            }
            self.sql(")");
            return;
        }
        self.sql(" AND (");
        for (n, (by, key)) in order.iter().zip(keys).enumerate() {
            self.sql(if n == 0 { "(" } else { " OR (" });
            for (equal, key) in order.iter().zip(keys).take(n) {
                self.sql(equal.sql(id)).sql(" = ").key(key).sql(" AND ");
            }
            self.sql(by.sql(id)).sql(by.beyond()).key(key).sql(")");
        }
        self.sql(")");
    }
}

impl<T, DB> QueryFragment<DB> for Statement<T>
where
    DB: Backend + HasSqlType<Bool>,
    i64: ToSql<BigInt, DB>,
    String: ToSql<Text, DB>,
    bool: ToSql<Bool, DB>,
{
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        for piece in &self.pieces {
            match piece {
                Piece::Sql(sql) => pass.push_sql(sql),
                Piece::Number(number) => pass.push_bind_param::<BigInt, i64>(number)?,
                Piece::Text(text) => pass.push_bind_param::<Text, String>(text)?,
                Piece::Bool(value) => pass.push_bind_param::<Bool, bool>(value)?,
            }
        }
        Ok(())
    }
}

// The shape depends on values, so a statement is kept prepared under its text and not under its type.
impl<T> QueryId for Statement<T> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}
impl<T> Query for Statement<T> {
    type SqlType = T;
}
impl<T, C> RunQueryDsl<C> for Statement<T> {}
