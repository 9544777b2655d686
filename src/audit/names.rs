//! What the things are called that the log speaks of, and which of them are still there.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value};

use super::store;
use crate::changes::Entity;
use crate::db::Conn;

/// The fields that a thing may be called by, in what was recorded of it.
const CALLED: [&str; 6] = ["name", "username", "title", "filename", "url", "kind"];

/// The names of things that exist.
#[derive(Debug, Clone, Default)]
pub struct Names(HashMap<(Entity, i64), String>);

impl Names {
    /// Those of these things that exist: a statement for each kind.
    ///
    /// # Errors
    /// Only the database's.
    pub fn load(conn: &mut Conn, things: impl Iterator<Item = (Entity, i64)>) -> diesel::QueryResult<Self> {
        let mut of_each: HashMap<Entity, HashSet<i64>> = HashMap::new();
        for (entity, id) in things {
            of_each.entry(entity).or_default().insert(id);
        }
        let mut names = HashMap::new();
        for (entity, ids) in of_each {
            let ids: Vec<i64> = ids.into_iter().collect();
            let found = store::names::of(conn, entity, &ids)?;
            names.extend(found.into_iter().map(|(id, name)| ((entity, id), name)));
        }
        Ok(Self(names))
    }

    /// What a thing is called, if it is there.
    pub fn of(&self, entity: Entity, id: i64) -> Option<&str> {
        self.0.get(&(entity, id)).map(String::as_str)
    }
}

/// What a thing was called, by its recorded fields.
pub fn recorded(fields: &Map<String, Value>) -> Option<String> {
    CALLED.iter().find_map(|field| fields.get(*field)?.as_str().map(str::to_owned))
}

/// The kind of thing that a field names by its id.
pub fn referred(field: &str) -> Option<Entity> {
    match field {
        "category_id" => Some(Entity::Category),
        "owner_id" | "author_id" | "user_id" => Some(Entity::User),
        "item_id" => Some(Entity::Item),
        "upload_id" => Some(Entity::Upload),
        _ => None,
    }
}

/// The page of a thing that is there; nothing for what has none.
pub fn page_of(entity: Entity, id: i64) -> Option<String> {
    let place = match entity {
        Entity::User => "users",
        Entity::Category => "categories",
        Entity::Item => "items",
        Entity::Job => "jobs",
        Entity::Post | Entity::Upload | Entity::ApiKey | Entity::Webhook => return None,
    };
    Some(format!("/admin/{place}/{id}"))
}
