//! The pages of what happened, and who did it.

use askama::Template;

use crate::web::difference::FieldChange;
use crate::web::history::History;
use crate::web::page::Frame;
use crate::web::steps::Ways;
use crate::web::view::{Chip, Choice, Errors, Pagination, When};

/// `GET /admin/items/{id}/history`, newest first.
#[derive(Template)]
#[template(path = "items/history.html")]
pub struct ItemHistoryPage {
    pub frame: Frame,
    pub item_id: i64,
    pub item_name: String,
    pub history: History,
}

/// `GET /admin/audit`. app.js fetches the same page while one types and takes `#list` out of it.
#[derive(Template)]
#[template(path = "audit/list.html")]
pub struct LogListPage {
    pub frame: Frame,
    pub filters: LogFilters,
    /// What is wrong with the filters, over an empty list.
    pub errors: Errors,
    /// The filters in force.
    pub chips: Vec<Chip>,
    pub rows: Vec<LogRow>,
    pub ways: Ways,
    /// It was not looked further than to there.
    pub looked_to: Option<When>,
    /// Names like the one that nobody has, and the log of each.
    pub meant: Vec<(String, String)>,
    /// What a screen reader says after a search.
    pub announce: String,
}

/// The filters as they were typed; empty where not set.
#[derive(Clone, Debug, Default)]
pub struct LogFilters {
    pub q: String,
    pub who: String,
    pub entities: Vec<Choice>,
    pub entity_id: String,
    pub actions: Vec<Choice>,
    pub doors: Vec<Choice>,
    pub from: String,
    pub to: String,
    pub page_size: String,
}

/// One act.
#[derive(Clone, Debug)]
pub struct LogRow {
    pub id: i64,
    pub at: When,
    pub who: String,
    /// "Admin site", "API key ci-robot".
    pub door: String,
    pub summary: String,
    /// What the one thing is called that it was about; empty where the words say it, or there are more.
    pub about: String,
    /// "53,940".
    pub changes: String,
    pub undone_by: Option<i64>,
    pub undoes: Option<i64>,
}

/// `GET /admin/audit/{id}`.
#[derive(Template)]
#[template(path = "audit/show.html")]
pub struct ChangesetPage {
    pub frame: Frame,
    pub id: i64,
    pub at: When,
    pub who: String,
    pub initials: String,
    pub actor_id: Option<i64>,
    /// Whether there still is that user.
    pub is_user: bool,
    pub door: String,
    pub summary: String,
    pub request_id: String,
    pub address: Option<String>,
    pub undoes: Option<i64>,
    pub undone_by: Option<i64>,
    /// "53,940".
    pub count: String,
    /// Whether it has one change.
    pub only: bool,
    pub changes: Vec<ChangeView>,
    pub pages: Pagination,
}

/// What an act did to one thing.
#[derive(Clone, Debug)]
pub struct ChangeView {
    /// "created", "updated", "deleted".
    pub action: String,
    /// The badge's class.
    pub class: &'static str,
    /// "Item".
    pub kind: String,
    /// `item`
    pub kind_name: &'static str,
    pub id: i64,
    /// What it was called; empty when that is not known.
    pub name: String,
    /// Its page, if it is still there.
    pub url: Option<String>,
    /// It was there then, and is no more.
    pub gone: bool,
    /// "Price 10 → 12.5"; "Price, Description" where that would be long.
    pub changed: String,
    pub fields: Vec<FieldChange>,
    pub open: bool,
}

/// `GET /admin/audit/{id}/revert`.
#[derive(Template)]
#[template(path = "audit/undo.html")]
pub struct UndoPage {
    pub frame: Frame,
    pub id: i64,
    pub summary: String,
    pub undone_by: Option<i64>,
    /// How many things would be as they were.
    pub count: usize,
    /// "1,204 changes".
    pub counted: String,
    /// "1,210 changes", if what was changed since is overwritten; absent where that makes no difference.
    pub forced: Option<String>,
    pub sample: Vec<SampleView>,
    /// "1,194": how many are not named.
    pub more: Option<String>,
    /// What was changed since.
    pub since: Vec<LeftView>,
    pub since_counted: String,
    /// What cannot be as it was.
    pub impossible: Vec<LeftView>,
    pub impossible_counted: String,
    /// There are API keys in it, which stay as they are.
    pub fixed: bool,
    /// "4,000": how many things were not looked through.
    pub unseen: Option<String>,
    pub errors: Errors,
}

/// One of the things that an undo touches.
#[derive(Clone, Debug)]
pub struct SampleView {
    pub name: String,
    /// "Item"; empty where all are of one kind.
    pub kind: String,
    /// "comes back", "is as it was", "is deleted".
    pub becomes: &'static str,
}

/// One thing that is not, or was not, brought back.
#[derive(Clone, Debug)]
pub struct LeftView {
    /// "Item 17".
    pub what: String,
    pub url: Option<String>,
    pub field: Option<String>,
    /// Why.
    pub message: String,
}

/// The answer of `POST /admin/audit/{id}/revert`, where something was left.
#[derive(Template)]
#[template(path = "audit/undone.html")]
pub struct UndonePage {
    pub frame: Frame,
    pub id: i64,
    /// The changeset that did it.
    pub made: i64,
    /// "12 changes".
    pub undone: String,
    pub left: Vec<LeftView>,
    /// Whether these are all.
    pub all_named: bool,
}
