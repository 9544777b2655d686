//! A list of items: what may be asked, and how it is found. Both doors and the exports come through here.

use std::sync::Arc;

use serde_json::Value;

use super::model::{Item, SHOWN, Visible, parse_price};
use super::shown::{Related, Shape};
use super::store::page::{By, Column, Filter, Key, complete};
use super::store::{self, page};
use crate::app::App;
use crate::caller::Caller;
use crate::categories::store::{active_items_in, items_in};
use crate::db::effects::counter;
use crate::db::{Conn, snapshot};
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::search;
use crate::web::cursor;
use crate::web::list::{Listing, Params, Window};

/// How many of the newest matches of a search are ranked. Ranking all of a word that a third of a million
/// rows have would take half a second; what is older follows by age.
const RANKED: i64 = 500;
/// Passing over so many hidden rows takes less than a millisecond.
const FEW_HIDDEN: i64 = 2_000;
/// Columns that a sort may have.
const MOST_COLUMNS: usize = 3;

/// A list that somebody asked for.
#[derive(Debug, Clone)]
pub struct Query {
    /// Which items.
    pub filter: Filter,
    /// In which order; empty with a search for "best first".
    pub sort: Vec<By>,
    /// Which part.
    pub window: Window,
    /// What of each item.
    pub shape: Shape,
    /// Something was searched for that has no word in it: nothing can fit.
    nothing: bool,
    after: After,
    context: String,
    key: [u8; 32],
}

/// Where a walk by cursor goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
enum After {
    Start,
    Keys(Vec<Key>),
    /// Behind this place of a ranking that was made of the matches from `floor` to `top`.
    Rank {
        score: i64,
        id: i64,
        top: i64,
        floor: i64,
    },
}

impl Query {
    /// Reads a list's query string. Without a `sort`, and without a search, the order is `default`.
    ///
    /// # Errors
    /// 400 for a bad window or cursor, 422 with every other mistake.
    pub fn parse(params: &Params, path: &str, caller: &Caller, key: [u8; 32], default: By) -> Result<Self, Error> {
        Self::parse_of(params, path, caller, key, default, &SHOWN)
    }

    /// The same where items have other fields: another version of the API.
    ///
    /// # Errors
    /// As [`Query::parse`].
    pub fn parse_of(
        params: &Params,
        path: &str,
        caller: &Caller,
        key: [u8; 32],
        default: By,
        known: &[&str],
    ) -> Result<Self, Error> {
        let mut errors = FieldErrors::default();
        let window = Window::parse(params, &mut errors)?;
        let typed = params.get("q").unwrap_or_default();
        let query = search::Query::parse(typed);
        let sort = parse_sort(params.get("sort"), &mut errors);
        let price = |name: &str, errors: &mut FieldErrors| {
            let text = params.get(name)?;
            let mut found = FieldErrors::default();
            let zero = crate::decimal::Amount::parse(text) == Ok(crate::decimal::Amount(0));
            let amount = if zero { Some(0) } else { parse_price(text, &mut found).map(|a| a.0) };
            for error in found.list() {
                errors.add(name, error.kind, error.message.clone());
            }
            amount
        };
        let shape = Shape::parse(params, known, caller, &mut errors);
        let filter = Filter {
            category_id: params.integer("category_id", &mut errors),
            owner_id: params.integer("owner_id", &mut errors),
            is_active: params.boolean("is_active", &mut errors),
            min_price: price("min_price", &mut errors),
            max_price: price("max_price", &mut errors),
            created_after: params.time("created_after", &mut errors),
            created_before: params.time("created_before", &mut errors),
            ..Filter::all(Visible::to(caller))
        };
        if !errors.is_empty() {
            return Err(Error::Invalid(errors));
        }
        let ranked = query.is_some() && sort.is_empty();
        let sort = match (ranked, sort.is_empty()) {
            (true, _) => Vec::new(),
            (false, true) => complete(&[default]),
            (false, false) => complete(&sort),
        };
        // Two callers may know of different items; a cursor is of one view.
        let context = format!("{:?} {}", filter.visible, params.context(path));
        let after = match &window {
            Window::Cursor { cursor: Some(text), .. } => After::parse(&cursor::open(&key, &context, text)?, &sort)?,
            _ => After::Start,
        };
        let nothing = !typed.trim().is_empty() && query.is_none();
        Ok(Self { filter: Filter { query, ..filter }, sort, window, shape, nothing, after, context, key })
    }

    /// Whether an index bounds the work, whatever the table's size, so long as few rows are hidden from the
    /// caller: then it may be done on the spot. [`find_if_bounded`] looks how many are.
    pub fn may_be_bounded(&self) -> bool {
        let (skip, _) = self.window.span();
        self.filter.is_open() && skip <= 1_000 && self.sort.len() <= 2
    }

    /// The whole of the list and its order, for an export: without a sort, oldest first. Absent when nothing can
    /// fit.
    pub fn whole(self) -> Option<(Filter, Vec<By>)> {
        let oldest_first = || page::complete(&[By { column: Column::Id, descending: false }]);
        let order = if self.sort.is_empty() { oldest_first() } else { self.sort };
        (!self.nothing).then_some((self.filter, order))
    }

    fn cursor_after(&self, last: &Item) -> String {
        let keys: Vec<Value> = self.sort.iter().map(|by| to_json(by.column.key(last))).collect();
        cursor::seal(&self.key, &self.context, &keys)
    }
}

impl After {
    fn parse(keys: &[Value], sort: &[By]) -> Result<Self, Error> {
        let wrong = || Error::Malformed("cursor: it is not one of this list; start again without it".to_owned());
        if sort.is_empty() {
            let numbers: Option<Vec<i64>> = keys.iter().map(Value::as_i64).collect();
            return match numbers.as_deref() {
                Some([score, id, top, floor]) => Ok(Self::Rank { score: *score, id: *id, top: *top, floor: *floor }),
                Some([id]) => Ok(Self::Keys(vec![Key::Number(*id)])),
                _ => Err(wrong()),
            };
        }
        let keys: Option<Vec<Key>> = keys.iter().map(from_json).collect();
        match keys {
            Some(keys) if keys.len() == sort.len() => Ok(Self::Keys(keys)),
            _ => Err(wrong()),
        }
    }
}

fn to_json(key: Key) -> Value {
    match key {
        Key::Number(number) => Value::from(number),
        Key::Text(text) => Value::from(text),
    }
}

fn from_json(value: &Value) -> Option<Key> {
    value.as_i64().map(Key::Number).or_else(|| value.as_str().map(|text| Key::Text(text.to_owned())))
}

fn parse_sort(text: Option<&str>, errors: &mut FieldErrors) -> Vec<By> {
    let Some(text) = text else { return Vec::new() };
    let mut sort: Vec<By> = Vec::new();
    for name in text.split(',').map(str::trim) {
        let (descending, name) = name.strip_prefix('-').map_or((false, name), |name| (true, name));
        match Column::ALL.iter().find(|(n, _)| *n == name) {
            Some((_, column)) if sort.iter().any(|by| by.column == *column) => {
                errors.add("sort", "format", format!("names {name} twice"));
            }
            Some((_, column)) => sort.push(By { column: *column, descending }),
            None => errors.add(
                "sort",
                "unknown",
                "must name columns of id, name, sku, price, created_at, updated_at, each with - for largest first",
            ),
        }
    }
    if sort.len() > MOST_COLUMNS {
        errors.add("sort", "length", format!("must name at most {MOST_COLUMNS} columns"));
    }
    sort
}

/// Finds a list on the spot where that is bounded, elsewhere otherwise; and what is shown beside its items.
///
/// # Errors
/// 503; otherwise only the database's.
pub async fn fetch(app: &App, query: Query) -> Result<(Arc<Query>, Listing<Item>, Related), Error> {
    let query = Arc::new(query);
    if query.may_be_bounded() {
        let inside = Arc::clone(&query);
        let quick = app.look_up(move |conn| {
            let Some(listing) = find_if_bounded(conn, &inside)? else { return Ok(None) };
            let related = inside.shape.related(conn, &listing.rows)?;
            Ok(Some((listing, related)))
        });
        if let Some((listing, related)) = quick.await? {
            return Ok((query, listing, related));
        }
    }
    let inside = Arc::clone(&query);
    let (listing, related) = app.read(move |conn| find_related(conn, &inside)).await?;
    Ok((query, listing, related))
}

/// Finds a list and what is shown beside its items.
///
/// # Errors
/// Only the database's.
pub fn find_related(conn: &mut Conn, query: &Query) -> Result<(Listing<Item>, Related), Error> {
    let listing = find(conn, query)?;
    let related = query.shape.related(conn, &listing.rows)?;
    Ok((listing, related))
}

/// Finds a list if the work is bounded; `None` when so many rows are hidden from the caller that looking for
/// those that are not may take long.
///
/// # Errors
/// Only the database's.
pub fn find_if_bounded(conn: &mut Conn, query: &Query) -> Result<Option<Listing<Item>>, Error> {
    snapshot(conn, |conn| {
        let few = query.filter.visible == Visible::All
            || counter(conn, store::TOTAL)? - counter(conn, store::ACTIVE)? <= FEW_HIDDEN;
        if few { found(conn, query).map(Some) } else { Ok(None) }
    })
}

/// Finds a list.
///
/// # Errors
/// Only the database's.
pub fn find(conn: &mut Conn, query: &Query) -> Result<Listing<Item>, Error> {
    snapshot(conn, |conn| found(conn, query))
}

fn found(conn: &mut Conn, query: &Query) -> Result<Listing<Item>, Error> {
    let listing = |rows, has_more, next_cursor, total| Listing {
        rows,
        total,
        has_more,
        next_cursor,
        window: query.window.clone(),
    };
    if query.nothing {
        return Ok(listing(Vec::new(), false, None, query.window.counts().then_some(0)));
    }
    let total = if query.window.counts() { Some(total(conn, &query.filter)?) } else { None };
    let (rows, has_more, next_cursor) = if query.sort.is_empty() { ranked(conn, query)? } else { sorted(conn, query)? };
    Ok(listing(rows, has_more, next_cursor, total))
}

type Part = (Vec<Item>, bool, Option<String>);

fn sorted(conn: &mut Conn, query: &Query) -> Result<Part, Error> {
    let (skip, limit) = query.window.span();
    let after = match &query.after {
        After::Keys(keys) => Some(keys.as_slice()),
        _ => None,
    };
    let mut rows = page::list(conn, &query.filter, &query.sort, after, skip, limit + 1)?;
    let has_more = cut(&mut rows, limit);
    let next = if has_more { rows.last().map(|last| query.cursor_after(last)) } else { None };
    Ok((rows, has_more, next))
}

fn cut(rows: &mut Vec<Item>, limit: i64) -> bool {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    has_more
}

const NEWEST_FIRST: [By; 1] = [By { column: Column::Id, descending: true }];

/// Best first: the newest matches by how well they fit, then the older ones by age.
fn ranked(conn: &mut Conn, query: &Query) -> Result<Part, Error> {
    let seal = |keys: &[i64]| {
        let keys: Vec<Value> = keys.iter().copied().map(Value::from).collect();
        cursor::seal(&query.key, &query.context, &keys)
    };
    let (skip, limit) = query.window.span();
    let mut rows = Vec::new();
    let mut rest = limit + 1;
    let mut skip_older = 0;
    let mut older_than = None;
    let mut ranks = Vec::new();
    let mut bounds = (0, 0);
    if let After::Keys(keys) = &query.after {
        older_than = keys.first().cloned();
    } else {
        let mut filter = query.filter.clone();
        let mut behind = None;
        if let After::Rank { score, id, top, floor } = query.after {
            (filter.id_to, filter.id_from) = (Some(top), Some(floor));
            behind = Some((score, id));
        }
        let newest = page::list(conn, &filter, &NEWEST_FIRST, None, 0, RANKED)?;
        bounds = match query.after {
            After::Rank { top, floor, .. } => (top, floor),
            _ => (newest.first().map_or(0, |i| i.id), newest.last().map_or(0, |i| i.id)),
        };
        let full = i64::try_from(newest.len()).unwrap_or(RANKED) == RANKED || behind.is_some();
        let mut scored: Vec<(i64, Item)> = newest.into_iter().map(|item| (score(query, &item), item)).collect();
        scored.sort_by(|(a, x), (b, y)| b.cmp(a).then(y.id.cmp(&x.id)));
        if let Some((score, id)) = behind {
            scored.retain(|(s, item)| (*s, item.id) < (score, id));
        }
        let found = i64::try_from(scored.len()).unwrap_or(i64::MAX);
        let from = usize::try_from(skip).unwrap_or(usize::MAX);
        let count = usize::try_from(rest).unwrap_or(usize::MAX);
        for (score, item) in scored.into_iter().skip(from).take(count) {
            ranks.push(score);
            rows.push(item);
        }
        rest -= i64::try_from(rows.len()).unwrap_or(0);
        skip_older = (skip - found).max(0);
        if full {
            older_than = Some(Key::Number(bounds.1));
        }
    }
    if rest > 0
        && let Some(key) = &older_than
    {
        rows.extend(page::list(conn, &query.filter, &NEWEST_FIRST, Some(std::slice::from_ref(key)), skip_older, rest)?);
    }
    let has_more = cut(&mut rows, limit);
    let next = if has_more {
        rows.last().map(|last| match ranks.get(rows.len() - 1) {
            Some(score) => seal(&[*score, last.id, bounds.0, bounds.1]),
            None => seal(&[last.id]),
        })
    } else {
        None
    };
    Ok((rows, has_more, next))
}

fn score(query: &Query, item: &Item) -> i64 {
    query.filter.query.as_ref().map_or(0, |words| {
        let text = |t: &Option<String>| t.clone().unwrap_or_default();
        i64::from(words.score(&text(&item.sku), &item.name, &text(&item.description)))
    })
}

/// How many there are, exactly: a counter where nothing but the category narrows the list.
///
/// # Errors
/// Only the database's.
pub fn total(conn: &mut Conn, filter: &Filter) -> Result<i64, Error> {
    if filter.is_open() {
        return Ok(match filter.visible {
            Visible::All => counter(conn, store::TOTAL)?,
            Visible::Active => counter(conn, store::ACTIVE)?,
            Visible::ActiveOrOf(owner) => counter(conn, store::ACTIVE)? + counter(conn, &store::hidden_of(owner))?,
        });
    }
    if let Some(category) = filter.category_id
        && *filter == (Filter { category_id: filter.category_id, ..Filter::all(filter.visible) })
    {
        match filter.visible {
            Visible::All => return Ok(counter(conn, &items_in(category))?),
            Visible::Active => return Ok(counter(conn, &active_items_in(category))?),
            Visible::ActiveOrOf(_) => {}
        }
    }
    Ok(page::count(conn, filter)?)
}
