//! An act that takes more than one transaction and is one changeset all the same: an import.

use diesel::prelude::*;

use crate::db::Conn;
use crate::db::schema::changesets;

/// A changeset that more will be added to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Open {
    /// The changeset, once something was changed.
    pub(super) id: Option<i64>,
    /// Changes recorded so far.
    pub(super) changes: i32,
}

impl Open {
    /// The changeset's id, once something was changed.
    pub fn id(&self) -> Option<i64> {
        self.id
    }

    /// Gives the whole act its name, when it is known what came of it.
    ///
    /// # Errors
    /// Only the database's.
    pub fn summarise(&self, conn: &mut Conn, summary: &str) -> QueryResult<()> {
        if let Some(id) = self.id {
            diesel::update(changesets::table.find(id)).set(changesets::summary.eq(summary)).execute(conn)?;
        }
        Ok(())
    }
}
