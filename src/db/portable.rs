//! Clauses that both databases know and Diesel's `MultiConnection` does not compile. A [`Portable`] statement
//! is walked once for the backend that is really there.

use diesel::backend::Backend;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::{QueryResult, RunQueryDsl};

use super::MultiBackend;

/// `statement` followed by a clause in SQL that is the same on both databases.
#[derive(Debug, Clone, Copy)]
pub struct Portable<S> {
    statement: S,
    clause: &'static str,
}

impl<S> Portable<S> {
    /// Adds to the counter that the insert names, or makes it.
    pub fn add_to_counter(insert: S) -> Self {
        Self {
            statement: insert,
            clause: " ON CONFLICT (name, shard) DO UPDATE SET value = counters.value + excluded.value",
        }
    }
}

impl<S: QueryFragment<MultiBackend>> QueryFragment<MultiBackend> for Portable<S>
where
    MultiBackend: Backend,
{
    fn walk_ast<'b>(&'b self, mut pass: AstPass<'_, 'b, MultiBackend>) -> QueryResult<()> {
        self.statement.walk_ast(pass.reborrow())?;
        pass.push_sql(self.clause);
        Ok(())
    }
}

impl<S: QueryId> QueryId for Portable<S> {
    // The clause is no part of the type.
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<S> RunQueryDsl<super::Conn> for Portable<S> {}

/// `%text%` for LIKE with `\\` as its escape: nothing in the text is a wildcard.
pub fn contains(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}
