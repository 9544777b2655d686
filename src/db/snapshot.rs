//! Several reads of one moment.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use diesel::connection::SimpleConnection as _;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sqlite::{Sqlite, SqliteConnection};

use super::Conn;
use crate::error::Error;

/// Statements without parameters that stay prepared.
#[derive(Debug, Clone, Copy, QueryId)]
struct Begin;
#[derive(Debug, Clone, Copy, QueryId)]
struct Commit;

impl QueryFragment<Sqlite> for Begin {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        pass.push_sql("BEGIN");
        Ok(())
    }
}

impl QueryFragment<Sqlite> for Commit {
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        pass.push_sql("COMMIT");
        Ok(())
    }
}

impl RunQueryDsl<SqliteConnection> for Begin {}
impl RunQueryDsl<SqliteConnection> for Commit {}

/// Several reads of one moment, on SQLite. It is also cheaper than each alone, which takes the file's lock and
/// gives it back (2.5 µs each). On PostgreSQL it would cost two ways over the network, and is left out.
///
/// # Errors
/// What the work says.
pub fn snapshot<T>(conn: &mut Conn, work: impl FnOnce(&mut Conn) -> Result<T, Error>) -> Result<T, Error> {
    let Conn::Sqlite(inner) = conn else { return work(conn) };
    Begin.execute(inner)?;
    // A panic must not leave the transaction open: the connection serves others after it.
    let done = catch_unwind(AssertUnwindSafe(|| work(conn)));
    if let Conn::Sqlite(inner) = conn {
        Commit.execute(inner)?;
    }
    done.unwrap_or_else(|panic| resume_unwind(panic))
}

/// As many reads as there are of one moment, on either database: an export's. On a connection of its own, which
/// is not used any more when it fails.
///
/// # Errors
/// What the work says.
pub fn moment<T>(conn: &mut Conn, work: impl FnOnce(&mut Conn) -> Result<T, Error>) -> Result<T, Error> {
    let begin = match conn {
        Conn::Sqlite(_) => "BEGIN",
        Conn::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
    };
    conn.batch_execute(begin)?;
    let done = work(conn)?;
    conn.batch_execute("COMMIT")?;
    Ok(done)
}
