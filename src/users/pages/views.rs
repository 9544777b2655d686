//! The pages of users.

use askama::Template;

use crate::users::model::Status;
use crate::web::conflict::Conflict;
use crate::web::history::History;
use crate::web::page::Frame;
use crate::web::view::{Chip, Choice, ColumnHead, Errors, Pagination, When};

/// `GET /admin/users`. app.js fetches the same page while one types and takes `#list` out of it.
#[derive(Template)]
#[template(path = "users/list.html")]
pub struct UserListPage {
    pub frame: Frame,
    pub filters: UserFilters,
    /// What is wrong with the filters, over an empty list.
    pub errors: Errors,
    /// The search and the filters in force.
    pub chips: Vec<Chip>,
    pub heads: UserHeads,
    pub rows: Vec<UserRow>,
    pub pages: Pagination,
    /// What a screen reader says after a search: "12 users", "Nobody matches".
    pub announce: String,
    /// Nobody has been invited yet.
    pub alone: bool,
}

/// The filters as they were typed; empty where not set.
#[derive(Clone, Debug, Default)]
pub struct UserFilters {
    pub q: String,
    pub roles: Vec<Choice>,
    pub statuses: Vec<Choice>,
    /// Kept by the form when it is not the default.
    pub sort: String,
    pub page_size: String,
}

/// The heads of the list's columns.
#[derive(Clone, Debug, Default)]
pub struct UserHeads {
    pub username: ColumnHead,
    pub email: ColumnHead,
    pub role: ColumnHead,
    pub status: ColumnHead,
    pub last_login: ColumnHead,
    pub created: ColumnHead,
}

/// One row of the list.
#[derive(Clone, Debug)]
pub struct UserRow {
    pub id: i64,
    pub username: String,
    pub full_name: String,
    pub email: String,
    pub role: String,
    pub status: StatusView,
    pub last_login: Option<When>,
    pub created: When,
    pub own: bool,
}

/// Whether somebody can come in, as it is shown.
#[derive(Clone, Copy, Debug)]
pub struct StatusView {
    /// "Active", "Invited", "Inactive".
    pub word: &'static str,
    /// The badge's class.
    pub class: &'static str,
}

impl From<Status> for StatusView {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => Self { word: "Active", class: "on" },
            Status::Invited => Self { word: "Invited", class: "warn" },
            Status::Inactive => Self { word: "Inactive", class: "" },
        }
    }
}

/// `GET /admin/users/new` and `/{id}/edit`, and again with what was typed and what is wrong with it.
#[derive(Template)]
#[template(path = "users/form.html")]
pub struct UserFormPage {
    pub frame: Frame,
    /// Whom it edits, for the way back; absent for an invitation.
    pub editing: Option<String>,
    /// Where the form posts to.
    pub action: String,
    pub cancel_url: String,
    pub values: UserValues,
    pub roles: Vec<Choice>,
    pub errors: Errors,
}

/// What a form holds.
#[derive(Clone, Debug, Default)]
pub struct UserValues {
    pub email: String,
    pub username: String,
    pub full_name: String,
    pub age: String,
    pub website: String,
    pub is_active: bool,
    /// The version that is being changed; empty for an invitation.
    pub version: String,
}

/// `GET /admin/users/{id}`.
#[derive(Template)]
#[template(path = "users/show.html")]
pub struct UserShowPage {
    pub frame: Frame,
    pub user: UserDetail,
    pub history: History,
}

/// What there is to say of a user.
#[derive(Clone, Debug)]
pub struct UserDetail {
    pub id: i64,
    pub username: String,
    pub full_name: String,
    pub email: String,
    pub age: String,
    pub website: String,
    pub role: String,
    pub status: StatusView,
    pub is_active: bool,
    pub invited: bool,
    /// "1,204".
    pub items: String,
    pub version: i64,
    pub created: When,
    pub updated: When,
    pub last_login: Option<When>,
    /// Whether it is who looks at it.
    pub own: bool,
    /// The last active admin: nothing may take that away.
    pub last_admin: bool,
}

/// Two people edited one user.
#[derive(Template)]
#[template(path = "users/conflict.html")]
pub struct UserConflictPage {
    pub frame: Frame,
    pub id: i64,
    pub username: String,
    pub conflict: Conflict,
}

/// The question before an act on a user that ends something, or why it cannot be done.
#[derive(Template)]
#[template(path = "users/ask.html")]
pub struct UserAskPage {
    pub frame: Frame,
    pub id: i64,
    pub username: String,
    pub heading: String,
    /// What it does, in sentences.
    pub effects: Vec<&'static str>,
    /// Why it cannot be.
    pub refused: Option<&'static str>,
    /// Where it is posted to.
    pub action: String,
    /// The choice of a role; empty for other acts.
    pub roles: Vec<Choice>,
    /// What is posted with it: "is_active", "false".
    pub field: Option<(&'static str, &'static str)>,
    pub submit: &'static str,
    pub destructive: bool,
    pub errors: Errors,
}

/// `GET /admin/users/{id}/delete`.
#[derive(Template)]
#[template(path = "users/delete.html")]
pub struct UserDeletePage {
    pub frame: Frame,
    pub id: i64,
    pub username: String,
    pub email: String,
    pub version: i64,
    /// "12 items and 1 post", where they own anything: somebody must take it over.
    pub owned: Option<String>,
    /// Why it cannot be.
    pub refused: Option<&'static str>,
    /// What was searched for.
    pub q: String,
    /// Who may take the items over.
    pub heirs: Vec<Heir>,
    pub announce: String,
    pub errors: Errors,
}

/// Somebody who may take items over.
#[derive(Clone, Debug)]
pub struct Heir {
    pub id: i64,
    pub username: String,
    pub email: String,
    pub own: bool,
    pub chosen: bool,
}
