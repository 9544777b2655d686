//! All SQL of events.

use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::changes::{Action, Entity};
use crate::db::Conn;
use crate::db::schema::{changes, changesets};
use crate::live::Batch;

/// A change, as an event needs it.
#[derive(Debug, Clone)]
pub struct Happened {
    /// The changeset and the change's place in it.
    pub id: (i64, i32),
    /// Of what.
    pub entity: Entity,
    /// Its id.
    pub entity_id: i64,
    /// What was done.
    pub action: Action,
    /// Of a deleted one, all it was.
    pub before: Option<String>,
}

type Row = (i64, i32, String, i64, String, Option<String>);

fn understood(rows: Vec<Row>) -> Vec<Happened> {
    let one = |(changeset, seq, entity, entity_id, action, before): Row| {
        let (entity, action) = (Entity::parse(&entity)?, Action::parse(&action)?);
        let before = before.filter(|_| action == Action::Deleted);
        Some(Happened { id: (changeset, seq), entity, entity_id, action, before })
    };
    rows.into_iter().filter_map(one).collect()
}

const COLUMNS: (
    changes::changeset_id,
    changes::seq,
    changes::entity,
    changes::entity_id,
    changes::action,
    changes::before,
) = (changes::changeset_id, changes::seq, changes::entity, changes::entity_id, changes::action, changes::before);

/// The changes of a batch.
pub fn of(conn: &mut Conn, batch: Batch) -> QueryResult<Vec<Happened>> {
    let rows = changes::table
        .filter(changes::changeset_id.eq(batch.changeset))
        .filter(changes::seq.between(batch.from, batch.to))
        .order(changes::seq)
        .select(COLUMNS)
        .load(conn)?;
    Ok(understood(rows))
}

/// The first changes behind one.
pub fn after(conn: &mut Conn, (changeset, seq): (i64, i32), limit: i64) -> QueryResult<Vec<Happened>> {
    let rows = changes::table
        .filter(changes::changeset_id.gt(changeset).or(changes::changeset_id.eq(changeset).and(changes::seq.gt(seq))))
        .order((changes::changeset_id, changes::seq))
        .limit(limit)
        .select(COLUMNS)
        .load(conn)?;
    Ok(understood(rows))
}

/// The newest changeset.
pub fn newest(conn: &mut Conn) -> QueryResult<i64> {
    let newest: Option<i64> =
        changesets::table.order(changesets::id.desc()).limit(1).select(changesets::id).get_result(conn).optional()?;
    Ok(newest.unwrap_or_default())
}

/// The changesets behind one, each with the place of its last change.
pub fn changesets_after(conn: &mut Conn, id: i64) -> QueryResult<Vec<Batch>> {
    let rows: Vec<(i64, Option<i32>)> = changes::table
        .filter(changes::changeset_id.gt(id))
        .group_by(changes::changeset_id)
        .order(changes::changeset_id)
        .select((changes::changeset_id, diesel::dsl::max(changes::seq)))
        .load(conn)?;
    Ok(rows.into_iter().map(|(changeset, to)| Batch { changeset, from: 1, to: to.unwrap_or_default() }).collect())
}

/// Tells the other servers on this PostgreSQL something.
pub fn notify(conn: &mut Conn, payload: &str) -> QueryResult<()> {
    match conn {
        Conn::Postgres(conn) => {
            diesel::sql_query("SELECT pg_notify('stockroom', $1)").bind::<Text, _>(payload).execute(conn).map(drop)
        }
        Conn::Sqlite(_) => Ok(()),
    }
}
