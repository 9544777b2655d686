//! What a changeset says of one entity.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value};

use crate::error::Error;

/// A kind of thing whose changes are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Entity {
    /// A user.
    User,
    /// A category.
    Category,
    /// An item.
    Item,
    /// A post.
    Post,
    /// An upload.
    Upload,
    /// An API key.
    ApiKey,
    /// A webhook.
    Webhook,
    /// A job of the queue: what an admin does with it, and not what the queue does.
    Job,
}

impl Entity {
    /// As it is stored and sent: singular.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Category => "category",
            Self::Item => "item",
            Self::Post => "post",
            Self::Upload => "upload",
            Self::ApiKey => "api_key",
            Self::Webhook => "webhook",
            Self::Job => "job",
        }
    }

    /// All kinds.
    pub const ALL: [Entity; 8] = [
        Entity::User,
        Entity::Category,
        Entity::Item,
        Entity::Post,
        Entity::Upload,
        Entity::ApiKey,
        Entity::Webhook,
        Entity::Job,
    ];

    /// As it is stored.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|entity| entity.as_str() == text)
    }

    /// Whether webhooks are told of its changes.
    pub fn is_told_of(self) -> bool {
        match self {
            Self::User | Self::Category | Self::Item | Self::Post => true,
            Self::Upload | Self::ApiKey | Self::Webhook | Self::Job => false,
        }
    }

    /// As people call it: "API key".
    pub fn label(self) -> String {
        match self {
            Self::User => "User",
            Self::Category => "Category",
            Self::Item => "Item",
            Self::Post => "Post",
            Self::Upload => "Upload",
            Self::ApiKey => "API key",
            Self::Webhook => "Webhook",
            Self::Job => "Job",
        }
        .to_owned()
    }

    /// So many of them, in words.
    pub fn counted(self, count: usize) -> String {
        let plural = match self {
            Self::User => "users",
            Self::Category => "categories",
            Self::Item => "items",
            Self::Post => "posts",
            Self::Upload => "uploads",
            Self::ApiKey => "API keys",
            Self::Webhook => "webhooks",
            Self::Job => "jobs",
        };
        if count == 1 { format!("1 {}", self.as_str().replace('_', " ")) } else { format!("{count} {plural}") }
    }
}

/// What was done to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It was not there before.
    Created,
    /// It was there, and is.
    Updated,
    /// It is no longer there.
    Deleted,
}

impl Action {
    /// As it is stored.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Created, Self::Updated, Self::Deleted].into_iter().find(|action| action.as_str() == text)
    }

    /// As it is stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Deleted => "deleted",
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A thing whose changes are recorded.
pub trait Recorded: Serialize {
    /// What kind it is.
    const ENTITY: Entity;
    /// Its id.
    fn id(&self) -> i64;
    /// The version that this state of it is.
    fn version(&self) -> i64;
}

/// One change of one entity. Of an update only the fields that differ are kept.
#[derive(Debug, Clone)]
pub struct Change {
    /// Its kind.
    pub entity: Entity,
    /// Its id.
    pub entity_id: i64,
    /// What was done.
    pub action: Action,
    /// The version that came of it; of a deletion, the last one that there was.
    pub version: i64,
    /// The fields before, as JSON.
    pub before: Option<String>,
    /// The fields after, as JSON.
    pub after: Option<String>,
}

impl Change {
    /// It was made.
    ///
    /// # Errors
    /// Never in practice: when it cannot be written as JSON.
    pub fn created<T: Recorded>(after: &T) -> Result<Self, Error> {
        Self::new(after, Action::Created, None, Some(text(after)?))
    }

    /// It was deleted.
    ///
    /// # Errors
    /// As [`Change::created`].
    pub fn deleted<T: Recorded>(before: &T) -> Result<Self, Error> {
        Self::new(before, Action::Deleted, Some(text(before)?), None)
    }

    /// It was changed.
    ///
    /// # Errors
    /// As [`Change::created`].
    pub fn updated<T: Recorded>(before: &T, after: &T) -> Result<Self, Error> {
        let (mut old, mut new) = (object(before)?, object(after)?);
        old.retain(|field, value| new.get(field) != Some(value) && field != "version");
        new.retain(|field, _| old.contains_key(field));
        Self::new(after, Action::Updated, Some(Value::Object(old).to_string()), Some(Value::Object(new).to_string()))
    }

    fn new<T: Recorded>(of: &T, action: Action, before: Option<String>, after: Option<String>) -> Result<Self, Error> {
        Ok(Self { entity: T::ENTITY, entity_id: of.id(), action, version: of.version(), before, after })
    }
}

fn text(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value).map_err(|e| Error::Internal(format!("a change cannot be written: {e}")))
}

/// A thing as its fields.
///
/// # Errors
/// Never in practice: when it is not one.
pub(super) fn object(value: &impl Serialize) -> Result<Map<String, Value>, Error> {
    match serde_json::to_value(value) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(Error::Internal("a change is not of an object".to_owned())),
        Err(error) => Err(Error::Internal(format!("a change cannot be written: {error}"))),
    }
}
