//! A list of changesets: what may be asked, and how it is found.

use super::model::Counted;
use super::service;
use super::store::{self, Filter};
use crate::changes::{Action, Entity};
use crate::db::Conn;
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::web::cut::Fields;
use crate::web::list::{Listing, Params};
use crate::web::sorted::Sorted;

/// The members of a changeset that is shown.
const SHOWN: [&str; 12] = [
    "id",
    "at",
    "actor_id",
    "actor",
    "api_key_id",
    "door",
    "summary",
    "request_id",
    "address",
    "undoes_id",
    "change_count",
    "undone_by_id",
];

/// A list that somebody asked for.
#[derive(Debug, Clone)]
pub struct Query {
    filter: Filter,
    /// What of each changeset.
    pub fields: Fields,
    sorted: Sorted<()>,
}

impl Query {
    /// Reads a list's query string: `entity`, `entity_id`, `actor_id`, `action`, `after`, `before`, `fields`, `sort` and
    /// a window. Newest first without a sort: the ids are given out in the order of time.
    ///
    /// # Errors
    /// 400 for a bad window or cursor, 422 with every other mistake.
    pub fn parse(params: &Params, path: &str, key: [u8; 32]) -> Result<Self, Error> {
        let mut errors = FieldErrors::default();
        let entity = params.get("entity").map(str::to_owned);
        if entity.as_deref().is_some_and(|entity| Entity::parse(entity).is_none()) {
            let names: Vec<&str> = Entity::ALL.iter().map(|entity| entity.as_str()).collect();
            errors.add("entity", "unknown", format!("must be one of {}", names.join(", ")));
        }
        let action = params.get("action").map(str::to_owned);
        if action.as_deref().is_some_and(|action| Action::parse(action).is_none()) {
            errors.add("action", "unknown", "must be created, updated or deleted");
        }
        let filter = Filter {
            entity,
            entity_id: params.integer("entity_id", &mut errors),
            actor_id: params.integer("actor_id", &mut errors),
            action,
            after: params.time("after", &mut errors),
            before: params.time("before", &mut errors),
            ..Filter::default()
        };
        let fields = Fields::parse(params, SHOWN.into_iter(), &mut errors);
        let sorted = Sorted::parse(params, path, key, &[("id", ()), ("at", ())], ("-id", ()), errors)?;
        Ok(Self { filter, fields, sorted })
    }
}

/// Finds a list.
///
/// # Errors
/// Only the database's.
pub fn find(conn: &mut Conn, query: &Query) -> Result<Listing<Counted>, Error> {
    let total = if query.sorted.window.counts() { Some(store::count(conn, &query.filter)?) } else { None };
    let rows = store::list(conn, &query.filter, &query.sorted.span)?;
    let rows = service::counted(conn, rows)?;
    Ok(query.sorted.listing(rows, total, |last| (last.changeset.id.to_string(), last.changeset.id)))
}
