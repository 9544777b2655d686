//! The full-text index, kept by the write path: FTS5 on SQLite, `tsvector` on PostgreSQL, both fed with the
//! same words (`crate::search`).

use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Text};
use diesel::sqlite::{Sqlite, SqliteConnection};

use crate::db::Conn;
use crate::items::model::Item;
use crate::search;

/// Statements that stay prepared, which `sql_query` does not.
#[derive(Debug, QueryId)]
struct Put {
    id: i64,
    words: String,
}
#[derive(Debug, QueryId)]
struct Remove {
    id: i64,
}

impl QueryFragment<Sqlite> for Put {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        pass.push_sql("INSERT INTO item_search (rowid, words) VALUES (");
        pass.push_bind_param::<BigInt, i64>(&self.id)?;
        pass.push_sql(", ");
        pass.push_bind_param::<Text, String>(&self.words)?;
        pass.push_sql(")");
        Ok(())
    }
}

impl QueryFragment<Sqlite> for Remove {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        pass.push_sql("DELETE FROM item_search WHERE rowid = ");
        pass.push_bind_param::<BigInt, i64>(&self.id)
    }
}

impl RunQueryDsl<SqliteConnection> for Put {}
impl RunQueryDsl<SqliteConnection> for Remove {}

/// The words of an item.
pub fn of(item: &Item) -> Vec<String> {
    let mut words = search::words(&item.name);
    for text in [item.description.as_deref(), item.sku.as_deref()].into_iter().flatten() {
        words.extend(search::words(text));
    }
    words
}

/// Whether two states of an item have the same words.
pub fn same(a: &Item, b: &Item) -> bool {
    a.name == b.name && a.description == b.description && a.sku == b.sku
}

/// Puts a new item's words in.
pub fn put(conn: &mut Conn, id: i64, words: &[String]) -> QueryResult<()> {
    match conn {
        Conn::Sqlite(conn) => Put { id, words: words.join(" ") }.execute(conn).map(drop),
        Conn::Postgres(conn) => diesel::sql_query("INSERT INTO item_search (item_id, words) VALUES ($1, $2::tsvector)")
            .bind::<BigInt, _>(id)
            .bind::<Text, _>(search::tsvector(words))
            .execute(conn)
            .map(drop),
    }
}

/// Takes an item's words out.
pub fn remove(conn: &mut Conn, id: i64) -> QueryResult<()> {
    match conn {
        Conn::Sqlite(conn) => Remove { id }.execute(conn).map(drop),
        Conn::Postgres(conn) => diesel::sql_query("DELETE FROM item_search WHERE item_id = $1")
            .bind::<BigInt, _>(id)
            .execute(conn)
            .map(drop),
    }
}

/// Takes many items' words out.
pub fn remove_all(conn: &mut Conn, ids: &[i64]) -> QueryResult<()> {
    match conn {
        Conn::Sqlite(_) => ids.iter().try_for_each(|id| remove(conn, *id)),
        Conn::Postgres(conn) => diesel::sql_query("DELETE FROM item_search WHERE item_id = ANY($1)")
            .bind::<diesel::sql_types::Array<BigInt>, _>(ids)
            .execute(conn)
            .map(drop),
    }
}

/// Puts many items' words in.
pub fn put_all(conn: &mut Conn, items: &[Item]) -> QueryResult<()> {
    match conn {
        Conn::Sqlite(_) => items.iter().try_for_each(|item| put(conn, item.id, &of(item))),
        Conn::Postgres(conn) => {
            use diesel::sql_types::Array;
            let ids: Vec<i64> = items.iter().map(|item| item.id).collect();
            let words: Vec<String> = items.iter().map(|item| search::tsvector(&of(item))).collect();
            diesel::sql_query(
                "INSERT INTO item_search (item_id, words) \
                 SELECT id, words::tsvector FROM unnest($1, $2) AS given (id, words)",
            )
            .bind::<Array<BigInt>, _>(ids)
            .bind::<Array<Text>, _>(words)
            .execute(conn)
            .map(drop)
        }
    }
}
