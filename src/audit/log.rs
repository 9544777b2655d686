//! The log as a page asks for it: by who, what, door, day and words, newest first, a page at a time. Where no index
//! finds what is asked for, a page looks through so much of the log and says how far it came: a page of a million
//! changesets costs what one of twenty does.

use std::collections::HashMap;

use super::model::{ChangeRow, Counted};
use super::names::{self, Names};
use super::service;
use super::store::{self, Filter};
use crate::caller::Door;
use crate::changes::{Action, Entity};
use crate::db::Conn;
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::time::Timestamp;
use crate::users;
use crate::users::store::page::Order;
use crate::web::difference::side as side_of;
use crate::web::list::Params;
use crate::web::sorted::Span;
use crate::web::steps::{Place, Steps, Ways};
use crate::web::view::url;

/// So many changesets are looked through for one page.
const LOOKED_THROUGH: i64 = 20_000;
/// Ids are given out at the commit and times taken at the beginning of a transaction: so far apart they may be in
/// order, in ids.
const OUT_OF_ORDER: i64 = 1_000;
/// So many names are proposed for one that nobody has.
const PROPOSED: i64 = 5;

/// What somebody asked for.
#[derive(Debug, Clone)]
pub struct LogQuery {
    filter: Filter,
    who: Option<String>,
    steps: Steps,
}

/// A page of the log.
#[derive(Debug, Clone, Default)]
pub struct LogPage {
    /// Newest first.
    pub rows: Vec<Counted>,
    /// The ways to its neighbours.
    pub ways: Ways,
    /// It has not been looked further than to this moment.
    pub looked_to: Option<Timestamp>,
    /// Names like the one that nobody has.
    pub meant: Vec<String>,
    /// What the one thing is called that an act was about.
    pub about: HashMap<i64, String>,
}

impl LogQuery {
    /// Reads `who` (a name), `entity`, `entity_id`, `did` (an action), `door`, `from` and `to` (days in UTC, both included), `q`
    /// (words in what the act is called), and `older`, `newer`, `page_size`.
    ///
    /// # Errors
    /// 400 for a place that cannot be read, 422 with every other mistake.
    pub fn parse(params: &Params) -> Result<Self, Error> {
        let steps = Steps::parse(params)?;
        let mut errors = FieldErrors::default();
        let mut one_of = |name: &str, is_known: fn(&str) -> bool, known: &str| {
            let value = params.get(name)?;
            if !is_known(value) {
                errors.add(name, "unknown", format!("must be one of {known}"));
            }
            Some(value.to_owned())
        };
        let entities: Vec<&str> = Entity::ALL.into_iter().map(Entity::as_str).collect();
        let entity = one_of("entity", |text| Entity::parse(text).is_some(), &entities.join(", "));
        let action = one_of("did", |text| Action::parse(text).is_some(), "created, updated, deleted");
        let door = one_of("door", |text| Door::ALL.iter().any(|door| door.as_str() == text), "api, admin, cli, job");
        let entity_id = params.integer("entity_id", &mut errors);
        let (from, to) = (params.day("from", &mut errors), params.day("to", &mut errors));
        if let (Some(from), Some(to)) = (from, to)
            && to < from
        {
            errors.add("to", "range", "must not be before the first day");
        }
        let filter = Filter {
            entity,
            entity_id,
            action,
            door,
            words: params.get("q").map(words).unwrap_or_default(),
            after: from.map(|day| day.0 - 1),
            before: to.map(|day| day.plus_seconds(86_400).0),
            ..Filter::default()
        };
        let who = params.get("who").map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        if errors.is_empty() { Ok(Self { filter, who, steps }) } else { Err(Error::Invalid(errors)) }
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_lowercase).collect()
}

/// Finds a page; `path` and `params` are for the links on it.
///
/// # Errors
/// Only the database's.
pub fn find(conn: &mut Conn, query: &LogQuery, path: &str, params: &Params) -> Result<LogPage, Error> {
    let mut filter = query.filter.clone();
    let mut is_user = true;
    if let Some(name) = &query.who {
        match users::store::find_by_username(conn, &name.to_lowercase())? {
            Some(user) => filter.actor_id = Some(user.id),
            // Who is no user: the operator, the product itself, and those who were deleted.
            None => {
                is_user = false;
                filter.actor = Some(name.clone());
            }
        }
    }
    let Some(bounds) = Bounds::of(conn, &filter)? else { return Ok(LogPage::default()) };
    let (mut steps, mut reach) = (query.steps, bounds.reach(query.steps.place));
    let mut rows = bounds.list(conn, &filter, &steps, reach)?;
    if steps.is_short(&rows) && reach.1 >= bounds.newest {
        steps = steps.newest();
        reach = bounds.reach(steps.place);
        rows = bounds.list(conn, &filter, &steps, reach)?;
    }
    let (rows, mut ways) = steps.page(path, params, rows, |row| row.id);
    let full = i64::try_from(rows.len()).is_ok_and(|count| count >= steps.size);
    let further = |name: &str, id: i64| Some(url(path, &params.with(name, &id.to_string())));
    let looked_to = match steps.place {
        Place::Newer(_) if ways.newer_url.is_none() && reach.1 < bounds.newest => {
            ways.newer_url = further("newer", reach.1);
            store::at_or_before(conn, reach.1)?
        }
        Place::Newest | Place::Older(_) if ways.older_url.is_none() && reach.0 > bounds.oldest && !full => {
            ways.older_url = further("older", reach.0);
            store::at_or_before(conn, reach.0)?
        }
        _ => None,
    };
    let meant = match &query.who {
        Some(name) if !is_user && rows.is_empty() => alike(conn, name)?,
        _ => Vec::new(),
    };
    let rows = service::counted(conn, rows)?;
    let about = about(conn, &rows)?;
    Ok(LogPage { rows, ways, looked_to, meant, about })
}

/// What the things are called that acts with one change were about: "Updated item 4" says little.
fn about(conn: &mut Conn, rows: &[Counted]) -> Result<HashMap<i64, String>, Error> {
    let single: Vec<i64> = rows.iter().filter(|row| row.change_count == 1).map(|row| row.changeset.id).collect();
    let changes: Vec<(i64, Entity, ChangeRow)> = store::first_changes(conn, &single)?
        .into_iter()
        .filter_map(|(id, change)| Some((id, Entity::parse(&change.entity)?, change)))
        .collect();
    let names = Names::load(conn, changes.iter().map(|(_, entity, change)| (*entity, change.entity_id)))?;
    let name = |(id, entity, change): &(i64, Entity, ChangeRow)| {
        let recorded = |side: &Option<String>| names::recorded(&side_of(side.as_deref()));
        let then = recorded(&change.after).or_else(|| recorded(&change.before));
        Some((*id, then.or_else(|| names.of(*entity, change.entity_id).map(str::to_owned))?))
    };
    Ok(changes.iter().filter_map(name).collect())
}

/// The ids between which everything is that is asked for.
struct Bounds {
    oldest: i64,
    newest: i64,
    /// Whether an index finds it, so that nothing need be looked through.
    found: bool,
}

impl Bounds {
    /// Nothing, when there can be nothing.
    fn of(conn: &mut Conn, filter: &Filter) -> Result<Option<Self>, Error> {
        let newest = match filter.before {
            None => store::newest(conn)?,
            Some(before) => match store::last_before(conn, before)? {
                Some(id) => id.saturating_add(OUT_OF_ORDER),
                None => return Ok(None),
            },
        };
        let oldest = match filter.after {
            None => 1,
            Some(after) => match store::first_from(conn, after + 1)? {
                Some(id) => id.saturating_sub(OUT_OF_ORDER).max(1),
                None => return Ok(None),
            },
        };
        let searched = filter.action.is_some()
            || filter.entity.is_some()
            || filter.door.is_some()
            || filter.actor.is_some()
            || filter.after.is_some()
            || filter.before.is_some()
            || !filter.words.is_empty();
        let found = filter.entity_id.is_some() || !searched;
        Ok(Some(Self { oldest, newest, found }))
    }

    /// The first and the last id that a page at this place looks at.
    fn reach(&self, place: Place) -> (i64, i64) {
        let (from, to) = match place {
            Place::Newest => (self.newest - LOOKED_THROUGH + 1, self.newest),
            Place::Older(id) => {
                let to = self.newest.min(id.saturating_sub(1));
                (to.saturating_sub(LOOKED_THROUGH - 1), to)
            }
            Place::Newer(id) => {
                let from = self.oldest.max(id.saturating_add(1));
                (from, from.saturating_add(LOOKED_THROUGH - 1))
            }
        };
        if self.found { (self.oldest, self.newest) } else { (from.max(self.oldest), to.min(self.newest)) }
    }

    fn list(
        &self,
        conn: &mut Conn,
        filter: &Filter,
        steps: &Steps,
        (from, to): (i64, i64),
    ) -> Result<Vec<super::model::Changeset>, Error> {
        let within = Filter { id_from: Some(from), id_to: Some(to), ..filter.clone() };
        Ok(store::list(conn, &within, &steps.span())?)
    }
}

/// The names of users that have this in them.
fn alike(conn: &mut Conn, name: &str) -> Result<Vec<String>, Error> {
    let filter = users::store::page::Filter { username: Some(name.to_lowercase()), ..Default::default() };
    let span = Span { order: Order::Username, descending: false, after: None, skip: 0, limit: PROPOSED };
    Ok(users::store::page::list(conn, &filter, &span)?.into_iter().map(|user| user.username).collect())
}
