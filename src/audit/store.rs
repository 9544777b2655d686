//! All SQL that reads the log.

use std::collections::HashMap;

use diesel::dsl::{IntoBoxed, exists};
use diesel::prelude::*;

use super::model::{ChangeRow, Changeset};
use crate::changes::Entity;
use crate::db::schema::{changes, changesets};
use crate::db::{Conn, MultiBackend};
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
    /// With a change of this kind.
    pub action: Option<String>,
    /// Later than this, in microseconds since 1970.
    pub after: Option<i64>,
    /// Earlier than this.
    pub before: Option<i64>,
}

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

/// How many changes each of these changesets has.
pub fn change_counts(conn: &mut Conn, ids: &[i64]) -> QueryResult<HashMap<i64, i64>> {
    let rows: Vec<(i64, i64)> = changes::table
        .filter(changes::changeset_id.eq_any(ids))
        .group_by(changes::changeset_id)
        .select((changes::changeset_id, diesel::dsl::count_star()))
        .load(conn)?;
    Ok(rows.into_iter().collect())
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

/// A part of what a changeset changed, in its order.
pub fn changes(conn: &mut Conn, id: i64, skip: i64, limit: i64) -> QueryResult<Vec<ChangeRow>> {
    changes::table
        .filter(changes::changeset_id.eq(id))
        .order(changes::seq)
        .limit(limit)
        .offset(skip)
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
