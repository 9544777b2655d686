//! All SQL that reads the log: changesets and changes here, the names of what they speak of in `store/names.rs`.

pub mod names;

use std::collections::HashMap;

use diesel::dsl::{IntoBoxed, exists, max};
use diesel::prelude::*;

use super::model::{ChangeRow, Changeset};
use crate::changes::Entity;
use crate::db::portable::contains;
use crate::db::schema::{changes, changesets};
use crate::db::{Conn, MultiBackend};
use crate::time::Timestamp;
use crate::web::sorted::Span;

/// What can be done to an entity.
const ACTIONS: [&str; 3] = ["created", "updated", "deleted"];

/// Which changesets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// With a change of this kind of entity.
    pub entity: Option<String>,
    /// With a change of the entity of this id.
    pub entity_id: Option<i64>,
    /// By this user.
    pub actor_id: Option<i64>,
    /// By somebody who was called so then.
    pub actor: Option<String>,
    /// By this door.
    pub door: Option<String>,
    /// With all of these in what it is called; lower-cased.
    pub words: Vec<String>,
    /// With a change of this kind.
    pub action: Option<String>,
    /// Later than this, in microseconds since 1970.
    pub after: Option<i64>,
    /// Earlier than this.
    pub before: Option<i64>,
    /// Of this id and later ones.
    pub id_from: Option<i64>,
    /// Of this id and earlier ones.
    pub id_to: Option<i64>,
}

diesel::define_sql_function!(
    /// Lower-case; on SQLite of ASCII letters only.
    fn lower(text: diesel::sql_types::Text) -> diesel::sql_types::Text
);

const COLUMNS: (
    changesets::id,
    changesets::at,
    changesets::actor_id,
    changesets::actor,
    changesets::api_key_id,
    changesets::door,
    changesets::summary,
    changesets::request_id,
    changesets::address,
    changesets::undoes_id,
) = (
    changesets::id,
    changesets::at,
    changesets::actor_id,
    changesets::actor,
    changesets::api_key_id,
    changesets::door,
    changesets::summary,
    changesets::request_id,
    changesets::address,
    changesets::undoes_id,
);

type Boxed<'q> = IntoBoxed<'q, changesets::table, MultiBackend>;

fn filtered<'q>(mut query: Boxed<'q>, filter: &Filter) -> Boxed<'q> {
    if let Some(actor) = filter.actor_id {
        query = query.filter(changesets::actor_id.eq(actor));
    }
    if let Some(name) = &filter.actor {
        query = query.filter(changesets::actor.eq(name.clone()));
    }
    if let Some(door) = &filter.door {
        query = query.filter(changesets::door.eq(door.clone()));
    }
    for word in &filter.words {
        query = query.filter(lower(changesets::summary).like(contains(word)).escape('\\'));
    }
    if let Some(id) = filter.id_from {
        query = query.filter(changesets::id.ge(id));
    }
    if let Some(id) = filter.id_to {
        query = query.filter(changesets::id.le(id));
    }
    if let Some(after) = filter.after {
        query = query.filter(changesets::at.gt(after));
    }
    if let Some(before) = filter.before {
        query = query.filter(changesets::at.lt(before));
    }
    if filter.entity.is_some() || filter.entity_id.is_some() || filter.action.is_some() {
        // All kinds where none is asked for: a boxed query cannot stand inside another.
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let kinds = Entity::ALL.map(Entity::as_str);
        let entities = filter.entity.clone().map_or_else(|| all(&kinds), |entity| vec![entity]);
        let actions = filter.action.clone().map_or_else(|| all(&ACTIONS), |action| vec![action]);
        let of = changes::table.filter(changes::entity.eq_any(entities)).filter(changes::action.eq_any(actions));
        query = match filter.entity_id {
            // Few changes, found by their index.
            Some(id) => {
                query.filter(changesets::id.eq_any(of.filter(changes::entity_id.eq(id)).select(changes::changeset_id)))
            }
            // Many: each changeset is asked, newest first, until the page is full.
            None => query.filter(exists(of.filter(changes::changeset_id.eq(changesets::id)))),
        };
    }
    query
}

/// A page of the log.
pub fn list(conn: &mut Conn, filter: &Filter, span: &Span<()>) -> QueryResult<Vec<Changeset>> {
    let mut query = filtered(changesets::table.into_boxed(), filter);
    query = match (&span.after, span.descending) {
        (Some((_, id)), false) => query.filter(changesets::id.gt(*id)),
        (Some((_, id)), true) => query.filter(changesets::id.lt(*id)),
        (None, _) => query,
    };
    query = if span.descending { query.order(changesets::id.desc()) } else { query.order(changesets::id.asc()) };
    query.limit(span.limit).offset(span.skip).select(COLUMNS).load(conn)
}

/// How many changesets a filter leaves.
pub fn count(conn: &mut Conn, filter: &Filter) -> QueryResult<i64> {
    filtered(changesets::table.into_boxed(), filter).count().get_result(conn)
}

/// One changeset.
pub fn find(conn: &mut Conn, id: i64) -> QueryResult<Option<Changeset>> {
    changesets::table.find(id).select(COLUMNS).get_result(conn).optional()
}

/// Lets nobody else undo this changeset at the same time, until the commit: what it deleted is not there to be
/// locked. SQLite has one writer.
pub fn lock(conn: &mut Conn, id: i64) -> QueryResult<()> {
    match conn {
        Conn::Postgres(conn) => {
            let row = changesets::table.find(id).select(changesets::id).for_update();
            row.get_result::<i64>(conn).optional().map(drop)
        }
        Conn::Sqlite(_) => Ok(()),
    }
}

/// How many changes each of these changesets has: their places are counted from 1 without a gap, so the last one says
/// it, and an import's 54,000 need not be counted.
pub fn change_counts(conn: &mut Conn, ids: &[i64]) -> QueryResult<HashMap<i64, i64>> {
    let last = changes::table.filter(changes::changeset_id.eq(changesets::id)).select(max(changes::seq)).single_value();
    let rows: Vec<(i64, Option<i32>)> =
        changesets::table.filter(changesets::id.eq_any(ids)).select((changesets::id, last)).load(conn)?;
    Ok(rows.into_iter().map(|(id, last)| (id, last.unwrap_or_default().into())).collect())
}

/// The first change of each of these changesets.
pub fn first_changes(conn: &mut Conn, ids: &[i64]) -> QueryResult<Vec<(i64, ChangeRow)>> {
    let columns = (
        changes::seq,
        changes::entity,
        changes::entity_id,
        changes::action,
        changes::version,
        changes::before,
        changes::after,
    );
    changes::table
        .filter(changes::changeset_id.eq_any(ids))
        .filter(changes::seq.eq(1))
        .select((changes::changeset_id, columns))
        .load(conn)
}

/// The newest changeset's id; 0 without one.
pub fn newest(conn: &mut Conn) -> QueryResult<i64> {
    let id: Option<i64> = changesets::table.select(max(changesets::id)).get_result(conn)?;
    Ok(id.unwrap_or_default())
}

/// When the changeset of this id was made, or the one before it.
pub fn at_or_before(conn: &mut Conn, id: i64) -> QueryResult<Option<Timestamp>> {
    let before = changesets::table.filter(changesets::id.le(id)).order(changesets::id.desc());
    let at: Option<i64> = before.select(changesets::at).limit(1).get_result(conn).optional()?;
    Ok(at.map(Timestamp))
}

/// The first changeset of this moment or later, by time.
pub fn first_from(conn: &mut Conn, at: i64) -> QueryResult<Option<i64>> {
    let later = changesets::table.filter(changesets::at.ge(at)).order((changesets::at, changesets::id));
    later.select(changesets::id).limit(1).get_result(conn).optional()
}

/// The last changeset before this moment, by time.
pub fn last_before(conn: &mut Conn, at: i64) -> QueryResult<Option<i64>> {
    let earlier = changesets::table.filter(changesets::at.lt(at)).order((changesets::at.desc(), changesets::id.desc()));
    earlier.select(changesets::id).limit(1).get_result(conn).optional()
}

/// Which changeset undid each of these last.
pub fn undone_by(conn: &mut Conn, ids: &[i64]) -> QueryResult<HashMap<i64, i64>> {
    let rows: Vec<(Option<i64>, i64)> = changesets::table
        .filter(changesets::undoes_id.eq_any(ids))
        .order(changesets::id)
        .select((changesets::undoes_id, changesets::id))
        .load(conn)?;
    Ok(rows.into_iter().filter_map(|(undone, by)| Some((undone?, by))).collect())
}

/// A part of what a changeset changed, in its order. Their places are counted from 1 without a gap, so that the last
/// part of an import is found like the first.
pub fn changes(conn: &mut Conn, id: i64, skip: i64, limit: i64) -> QueryResult<Vec<ChangeRow>> {
    let skip = i32::try_from(skip).unwrap_or(i32::MAX);
    changes::table
        .filter(changes::changeset_id.eq(id))
        .filter(changes::seq.gt(skip))
        .order(changes::seq)
        .limit(limit)
        .select((
            changes::seq,
            changes::entity,
            changes::entity_id,
            changes::action,
            changes::version,
            changes::before,
            changes::after,
        ))
        .load(conn)
}
