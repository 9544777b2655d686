//! What was recorded of one entity, read back.

use diesel::prelude::*;
use serde::Serialize;
use serde_json::{Map, Value};

use super::{Entity, Recorded};
use crate::db::Conn;
use crate::db::schema::{changes, changesets};
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
}

/// The changes of one entity, newest first.
///
/// # Errors
/// Only the database's.
pub fn of(conn: &mut Conn, entity: Entity, id: i64, skip: i64, limit: i64) -> QueryResult<Vec<Entry>> {
    changes::table
        .inner_join(changesets::table)
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
