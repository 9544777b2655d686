//! What is shown of items: which of their fields, and what they refer to beside its id (`fields`, `expand`).

use std::collections::HashMap;

use serde::Serialize;

use super::model::{Item, Owner};
use super::store;
use crate::caller::Caller;
use crate::categories;
use crate::categories::model::Category;
use crate::db::Conn;
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::web::cut::{Cut, Fields};
use crate::web::list::Params;

/// What somebody wants to see of items.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    fields: Fields,
    category: bool,
    owner: bool,
    /// Whose own data the caller may read: everybody's, or that of one.
    reads: Reads,
}

#[derive(Debug, Clone, Copy, Default)]
enum Reads {
    #[default]
    Nobody,
    One(i64),
    All,
}

impl Shape {
    /// Reads `fields` and `expand`; `known` are the names that fields can have.
    pub fn parse(params: &Params, known: &[&str], caller: &Caller, errors: &mut FieldErrors) -> Self {
        let mut shape = Self::default();
        // They are there in full; who cuts the fields and names them here wants them too.
        let mut images = false;
        for name in params.get("expand").into_iter().flat_map(|text| text.split(',')) {
            match name.trim() {
                "category" => shape.category = true,
                "owner" => shape.owner = true,
                "images" => images = true,
                _ => errors.add("expand", "unknown", "must name some of category, owner, images"),
            }
        }
        // Naming one of these among the fields asks for it, too.
        shape.fields = Fields::parse(params, known.iter().copied().chain(["category", "owner"]), errors);
        shape.category |= shape.fields.names("category");
        shape.owner |= shape.fields.names("owner");
        // Who expands something wants to see it.
        let expanded = [("category", shape.category), ("owner", shape.owner), ("images", images)];
        for (name, _) in expanded.iter().filter(|(_, wanted)| *wanted) {
            shape.fields.and(name);
        }
        shape.reads = match (caller.is_admin(), caller.user_id()) {
            (true, _) => Reads::All,
            (false, Some(id)) => Reads::One(id),
            (false, None) => Reads::Nobody,
        };
        shape
    }

    /// The same of the query string of one item.
    ///
    /// # Errors
    /// 400, 422.
    pub fn of(query: &str, known: &[&str], caller: &Caller) -> Result<Self, Error> {
        if query.is_empty() {
            return Ok(Self::default());
        }
        let mut errors = FieldErrors::default();
        let shape = Self::parse(&Params::parse(query)?, known, caller, &mut errors);
        errors.into_result(|| Some(shape))
    }

    /// With each item's category, whatever was asked.
    #[must_use]
    pub fn with_category(mut self) -> Self {
        self.category = true;
        self.fields.and("category");
        self
    }

    /// Whether items are shown as they are.
    pub fn is_plain(&self) -> bool {
        self.fields.is_all() && !self.category && !self.owner
    }

    /// Finds what the items refer to: a statement for each kind, however many items there are.
    ///
    /// # Errors
    /// Only the database's.
    pub fn related(&self, conn: &mut Conn, items: &[Item]) -> Result<Related, Error> {
        let distinct = |id: fn(&Item) -> i64| {
            let mut ids: Vec<i64> = items.iter().map(id).collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        let mut related = Related::default();
        if self.category {
            let found = categories::store::find_all(conn, &distinct(|item| item.category_id))?;
            related.categories = Some(found.into_iter().map(|category| (category.id, category)).collect());
        }
        if self.owner {
            let found = store::owners(conn, &distinct(|item| item.owner_id))?;
            related.owners = Some(found.into_iter().map(|owner| (owner.id, self.may_see(owner))).collect());
        }
        Ok(related)
    }

    /// Strangers learn no more of an owner than the name.
    fn may_see(&self, mut owner: Owner) -> Owner {
        let known = match self.reads {
            Reads::All => true,
            Reads::One(id) => id == owner.id,
            Reads::Nobody => false,
        };
        if !known {
            owner.known = None;
        }
        owner
    }

    /// One item in this shape; `face` is what it looks like in the API's version.
    pub fn show<'s, F: Serialize>(&'s self, item: &Item, face: F, related: &'s Related) -> Cut<'s, Shown<'s, F>> {
        self.fields.cut(Shown {
            face,
            category: related.categories.as_ref().map(|all| all.get(&item.category_id)),
            owner: related.owners.as_ref().map(|all| all.get(&item.owner_id)),
        })
    }
}

/// What the items of an answer refer to.
#[derive(Debug, Default)]
pub struct Related {
    categories: Option<HashMap<i64, Category>>,
    owners: Option<HashMap<i64, Owner>>,
}

/// An item with what it refers to beside the ids.
#[derive(Debug, Serialize)]
pub struct Shown<'s, F> {
    #[serde(flatten)]
    face: F,
    #[serde(skip_serializing_if = "Option::is_none")]
    category: Option<Option<&'s Category>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    owner: Option<Option<&'s Owner>>,
}
