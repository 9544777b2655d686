//! The history of one thing, as a page shows it: newest first, each act with what it changed.

use serde_json::{Map, Value};

use super::difference::{FieldChange, side};
use super::list::{Params, Window};
use super::page::initials;
use super::view::{When, url};
use crate::changes::history::Entry;

/// A part of a thing's history.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub entries: Vec<HistoryEntry>,
    pub newer_url: Option<String>,
    pub older_url: Option<String>,
}

/// One change of the thing, with what its changeset says.
#[derive(Clone, Debug)]
pub struct HistoryEntry {
    /// The name of who did it, as it was then.
    pub who: String,
    pub initials: String,
    /// "Admin site", "API", "API key ci-robot", "Command line".
    pub door: String,
    /// "created", "updated", "deleted".
    pub action: String,
    pub at: When,
    /// The changeset's own words, where they say more: "Import of diamonds.csv, 53,940 rows".
    pub summary: Option<String>,
    pub fields: Vec<FieldChange>,
}

impl History {
    /// The part of this window, of entries that were asked for with one more than it has. `fields` are those
    /// that people know, `readable` says one as it is read, `telling` whether a changeset's words say more.
    pub fn of(
        path: &str,
        params: &Params,
        window: &Window,
        mut entries: Vec<Entry>,
        fields: &[(&str, &str)],
        readable: impl Fn(&str, &Value) -> Option<String>,
        telling: impl Fn(&str) -> bool,
    ) -> Self {
        let (skip, limit) = window.span();
        let size = usize::try_from(limit).unwrap_or(usize::MAX);
        let has_older = entries.len() > size;
        entries.truncate(size);
        let step = |to: i64| url(path, &params.with("page", &to.to_string()));
        let page = skip / limit.max(1) + 1;
        Self {
            entries: entries.iter().map(|entry| HistoryEntry::of(entry, fields, &readable, &telling)).collect(),
            newer_url: (page > 1).then(|| step(page - 1)),
            older_url: has_older.then(|| step(page + 1)),
        }
    }
}

impl HistoryEntry {
    fn of(
        entry: &Entry,
        fields: &[(&str, &str)],
        readable: &impl Fn(&str, &Value) -> Option<String>,
        telling: &impl Fn(&str) -> bool,
    ) -> Self {
        let (before, after) = (side(entry.before.as_deref()), side(entry.after.as_deref()));
        let read = |side: &Map<String, Value>, name: &str| match side.get(name) {
            None | Some(Value::Null) => None,
            Some(value) => readable(name, value),
        };
        let change = |(name, label): &(&str, &str)| {
            FieldChange::of((*label).to_owned(), read(&before, name), read(&after, name))
        };
        Self {
            who: entry.actor.clone(),
            initials: initials(&entry.actor),
            door: door(&entry.door, entry.api_key.as_deref()),
            action: entry.action.clone(),
            at: When::on(entry.at),
            summary: Some(entry.summary.clone()).filter(|summary| telling(summary)),
            fields: fields.iter().filter_map(change).collect(),
        }
    }
}

/// By which door somebody came, and with which API key, as it is read.
pub fn door(door: &str, api_key: Option<&str>) -> String {
    match (api_key, door) {
        (Some(name), _) => format!("API key {name}"),
        (None, "admin") => "Admin site".to_owned(),
        (None, "api") => "API".to_owned(),
        (None, "cli") => "Command line".to_owned(),
        (None, "job") => "Background work".to_owned(),
        (None, other) => other.to_owned(),
    }
}
