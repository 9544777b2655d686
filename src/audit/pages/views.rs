//! What happened, and who did it.

use askama::Template;

use crate::web::page::Frame;
use crate::web::view::When;

/// `GET /admin/items/{id}/history`, newest first.
#[derive(Template)]
#[template(path = "items/history.html")]
pub struct ItemHistoryPage {
    pub frame: Frame,
    pub item_id: i64,
    pub item_name: String,
    pub entries: Vec<HistoryEntry>,
    pub newer_url: Option<String>,
    pub older_url: Option<String>,
}

/// One change of the item, with what its changeset says.
#[derive(Clone, Debug)]
pub struct HistoryEntry {
    /// The user's name, or "somebody deleted", "the command line".
    pub who: String,
    pub initials: String,
    /// "admin", "api", "cli", "job".
    pub door: String,
    /// "created", "changed", "deleted".
    pub action: String,
    pub at: When,
    /// The changeset's own words, where they say more: "Import of diamonds.csv, 53,940 rows".
    pub summary: Option<String>,
    pub fields: Vec<FieldChange>,
}

/// One field before and after, as they are read.
#[derive(Clone, Debug)]
pub struct FieldChange {
    pub label: String,
    pub before: Option<String>,
    pub after: Option<String>,
}
