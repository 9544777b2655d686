//! What was recorded of one entity, read back.

use std::collections::HashMap;

use diesel::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Action, Entity, Recorded};
use crate::db::Conn;
use crate::db::schema::{api_keys, changes, changesets};
use crate::time::Timestamp;

/// A change and the act that it was part of.
#[derive(Debug, Clone, Queryable)]
pub struct Entry {
    /// The changeset.
    pub changeset_id: i64,
    /// `created`, `updated` or `deleted`.
    pub action: String,
    /// The version that came of it.
    pub version: i64,
    /// The fields before, as JSON.
    pub before: Option<String>,
    /// The fields after, as JSON.
    pub after: Option<String>,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// By which door.
    pub door: String,
    /// The act in words.
    pub summary: String,
    /// The name of the API key that it was done with.
    pub api_key: Option<String>,
}

/// The changes of one entity, newest first.
///
/// # Errors
/// Only the database's.
pub fn of(conn: &mut Conn, entity: Entity, id: i64, skip: i64, limit: i64) -> QueryResult<Vec<Entry>> {
    changes::table
        .inner_join(changesets::table.left_join(api_keys::table))
        .filter(changes::entity.eq(entity.as_str()))
        .filter(changes::entity_id.eq(id))
        .order((changes::changeset_id.desc(), changes::seq.desc()))
        .limit(limit)
        .offset(skip)
        .select((
            changes::changeset_id,
            changes::action,
            changes::version,
            changes::before,
            changes::after,
            changesets::at,
            changesets::actor,
            changesets::door,
            changesets::summary,
            api_keys::name.nullable(),
        ))
        .load(conn)
}

/// The fields of an entity as they were at a version: today's, with every later change taken back.
///
/// # Errors
/// Only the database's.
pub fn at_version<T: Recorded + Serialize>(conn: &mut Conn, now: &T, version: i64) -> QueryResult<Map<String, Value>> {
    let mut fields = match serde_json::to_value(now) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let later = i64::max(now.version() - version, 0);
    for entry in of(conn, T::ENTITY, now.id(), 0, later)?.iter().filter(|e| e.version > version) {
        if let Some(Ok(Value::Object(before))) = entry.before.as_deref().map(serde_json::from_str) {
            fields.extend(before);
        }
    }
    Ok(fields)
}

/// The fields of an entity right after one of its changes: those that it has now (none if it is gone), with every
/// later change taken back.
///
/// # Errors
/// Only the database's.
pub fn state_after(
    conn: &mut Conn,
    (entity, id): (Entity, i64),
    (changeset, seq): (i64, i32),
    now: Option<Map<String, Value>>,
) -> QueryResult<Option<Map<String, Value>>> {
    let later: Vec<(String, Option<String>)> = changes::table
        .filter(changes::entity.eq(entity.as_str()))
        .filter(changes::entity_id.eq(id))
        .filter(changes::changeset_id.gt(changeset).or(changes::changeset_id.eq(changeset).and(changes::seq.gt(seq))))
        .order((changes::changeset_id.desc(), changes::seq.desc()))
        .select((changes::action, changes::before))
        .load(conn)?;
    let mut state = now;
    for (action, before) in later {
        let before: Option<Map<String, Value>> = before.and_then(|text| serde_json::from_str(&text).ok());
        state = match (Action::parse(&action), state) {
            (Some(Action::Deleted), _) => before,
            (Some(Action::Updated), Some(mut fields)) => {
                // What another part of the product has recorded along is none of its fields.
                for (field, value) in before.into_iter().flatten() {
                    if let Some(slot) = fields.get_mut(&field) {
                        *slot = value;
                    }
                }
                Some(fields)
            }
            _ => None,
        };
    }
    Ok(state)
}

/// One change of one entity, taken apart.
#[derive(Debug, Clone)]
pub struct Step {
    /// What was done.
    pub action: Action,
    /// The version that came of it.
    pub version: i64,
    /// The fields before; of an update those that changed.
    pub before: Option<Map<String, Value>>,
    /// The fields after.
    pub after: Option<Map<String, Value>>,
}

/// Some changes of a changeset, by their place in it.
///
/// # Errors
/// Only the database's.
pub fn steps(conn: &mut Conn, changeset: i64, seqs: &[i32]) -> QueryResult<HashMap<i32, Step>> {
    type Row = (i32, String, i64, Option<String>, Option<String>);
    let mut found = HashMap::new();
    // SQLite takes 32,766 parameters, PostgreSQL 65,535.
    for part in seqs.chunks(1_000) {
        let rows: Vec<Row> = changes::table
            .filter(changes::changeset_id.eq(changeset))
            .filter(changes::seq.eq_any(part))
            .select((changes::seq, changes::action, changes::version, changes::before, changes::after))
            .load(conn)?;
        let object = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
        found.extend(rows.into_iter().filter_map(|(seq, action, version, before, after)| {
            let step = Step { action: Action::parse(&action)?, version, before: object(before), after: object(after) };
            Some((seq, step))
        }));
    }
    Ok(found)
}
