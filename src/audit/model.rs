//! The words: a changeset, what it did to each entity, and what came of undoing one.

use diesel::prelude::*;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::changes::undo::Obstacle;
use crate::time::Timestamp;

/// One act, as the API shows it.
#[derive(Debug, Clone, Queryable, Serialize)]
pub struct Changeset {
    /// Its id.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// Who, while they are a user.
    pub actor_id: Option<i64>,
    /// Who, by the name that they had.
    pub actor: String,
    /// The API key that it was done with.
    pub api_key_id: Option<i64>,
    /// `api`, `admin`, `cli` or `job`.
    pub door: String,
    /// The act in words.
    pub summary: String,
    /// The request's id, as in the log.
    pub request_id: String,
    /// From which address.
    pub address: Option<String>,
    /// The changeset that this one undid.
    pub undoes_id: Option<i64>,
}

/// A changeset, how much it changed, and whether it was undone.
#[derive(Debug, Clone, Serialize)]
pub struct Counted {
    /// The act.
    #[serde(flatten)]
    pub changeset: Changeset,
    /// How many changes it has.
    pub change_count: i64,
    /// The changeset that undid this one last.
    pub undone_by_id: Option<i64>,
}

/// One change, as the database has it.
#[derive(Debug, Clone, Queryable)]
pub struct ChangeRow {
    /// Its place in the changeset.
    pub seq: i32,
    /// `item`, …
    pub entity: String,
    /// The entity's id.
    pub entity_id: i64,
    /// `created`, `updated` or `deleted`.
    pub action: String,
    /// The version that came of it.
    pub version: i64,
    /// The fields before, as JSON.
    pub before: Option<String>,
    /// The fields after, as JSON.
    pub after: Option<String>,
}

/// One change, as the API shows it.
#[derive(Debug, Clone, Serialize)]
pub struct Change {
    /// `item`, …
    pub entity: String,
    /// The entity's id.
    pub entity_id: i64,
    /// `created`, `updated` or `deleted`.
    pub action: String,
    /// The version that came of it.
    pub version: i64,
    /// The fields before; of an update those that changed.
    pub before: Option<Box<RawValue>>,
    /// The fields after.
    pub after: Option<Box<RawValue>>,
}

impl From<ChangeRow> for Change {
    fn from(row: ChangeRow) -> Self {
        let raw = |text: Option<String>| text.and_then(|text| RawValue::from_string(text).ok());
        Self {
            entity: row.entity,
            entity_id: row.entity_id,
            action: row.action,
            version: row.version,
            before: raw(row.before),
            after: raw(row.after),
        }
    }
}

/// What came of undoing a changeset.
#[derive(Debug, Clone, Serialize)]
pub struct Undone {
    /// The changeset that did it.
    pub changeset_id: Option<i64>,
    /// How many entities are as they were.
    pub undone: usize,
    /// What was left as it is, and why.
    pub left: Vec<Left>,
}

/// One entity, or a field of it, that was not brought back.
#[derive(Debug, Clone, Serialize)]
pub struct Left {
    /// `item`, …
    pub entity: &'static str,
    /// The entity's id.
    pub entity_id: i64,
    /// The field, if it is about one.
    pub field: Option<String>,
    /// Why.
    pub message: String,
}

impl From<Obstacle> for Left {
    fn from(obstacle: Obstacle) -> Self {
        Self {
            entity: obstacle.entity.as_str(),
            entity_id: obstacle.id,
            field: obstacle.field,
            message: obstacle.message,
        }
    }
}
