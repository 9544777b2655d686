//! The words: a category, what may be typed for one, and who may do what.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};
use validator::Validate;

use crate::changes::{Entity, Recorded};
use crate::db::schema::categories;
use crate::error::Error;
use crate::fields::{FieldErrors, Given, Input};
use crate::time::Timestamp;

/// A category as the database has it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable, Serialize, Deserialize)]
#[diesel(table_name = categories)]
pub struct Category {
    /// Its id.
    pub id: i64,
    /// 1 to 100 characters.
    pub name: String,
    /// Without regard to case, for uniqueness.
    #[serde(skip)]
    pub name_key: String,
    /// At most 500 characters.
    pub description: Option<String>,
    /// Grows with each write.
    pub version: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A category and how many items in it the caller may know of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Counted {
    /// The category.
    #[serde(flatten)]
    pub category: Category,
    /// Items in it.
    pub item_count: i64,
}

impl Recorded for Category {
    const ENTITY: Entity = Entity::Category;
    fn id(&self) -> i64 {
        self.id
    }
    fn version(&self) -> i64 {
        self.version
    }
}

/// What a category is: everything that a person may set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CategoryFields {
    /// 1 to 100 characters.
    pub name: String,
    /// At most 500 characters.
    pub description: Option<String>,
}

/// A name without regard to case.
pub fn name_key(name: &str) -> String {
    name.to_lowercase()
}

/// What was typed, read field by field.
#[derive(Debug, Clone, Default)]
pub struct CategoryInput {
    name: Given<String>,
    description: Given<String>,
    errors: FieldErrors,
}

#[derive(Debug, Validate)]
struct Bounds<'t> {
    #[validate(length(min = 1, max = 100))]
    name: Option<&'t str>,
    #[validate(length(max = 500))]
    description: Option<&'t str>,
}

impl CategoryInput {
    /// Reads the fields and holds them to their bounds.
    pub fn read(input: &Input) -> Self {
        let mut errors = FieldErrors::default();
        let name = input.text("name", false, &mut errors);
        let description = match input.text("description", true, &mut errors) {
            Given::Value(text) if text.is_empty() => Given::Null,
            other => other,
        };
        let bounds = Bounds {
            name: name.as_value().map(String::as_str),
            description: description.as_value().map(String::as_str),
        };
        if let Err(found) = bounds.validate() {
            errors.take(&found);
        }
        Self { name, description, errors }
    }

    /// The fields that come of it: on what there was (PATCH), or on the defaults (POST, PUT).
    ///
    /// # Errors
    /// 422 with every mistake.
    pub fn onto(self, base: Option<&Category>) -> Result<CategoryFields, Error> {
        let mut errors = self.errors;
        let name = match self.name {
            Given::Null => {
                errors.add("name", "required", "is required");
                None
            }
            Given::Absent => base.map(|b| b.name.clone()),
            Given::Value(name) => Some(name),
        };
        if name.is_none() {
            errors.add("name", "required", "is required");
        }
        let description = self.description.over(base.and_then(|b| b.description.clone()));
        errors.into_result(|| Some(CategoryFields { name: name?, description }))
    }
}
