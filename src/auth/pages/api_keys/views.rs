//! The pages of API keys.

use askama::Template;

use crate::web::page::Frame;
use crate::web::view::{Choice, ColumnHead, Errors, Pagination, When};

/// `GET /admin/api-keys`.
#[derive(Template)]
#[template(path = "auth/api_keys.html")]
pub struct KeyListPage {
    pub frame: Frame,
    pub admin: bool,
    /// Everybody's, not only one's own.
    pub all: bool,
    /// Whether one has any that can be ended.
    pub any_live: bool,
    pub heads: KeyHeads,
    pub rows: Vec<KeyRow>,
    pub pages: Pagination,
}

/// The heads of the list's columns.
#[derive(Clone, Debug, Default)]
pub struct KeyHeads {
    pub name: ColumnHead,
    pub key: ColumnHead,
    pub scope: ColumnHead,
    pub owner: ColumnHead,
    pub created: ColumnHead,
    pub expires: ColumnHead,
    pub used: ColumnHead,
    pub state: ColumnHead,
}

/// One row of the list.
#[derive(Clone, Debug)]
pub struct KeyRow {
    pub id: i64,
    pub name: String,
    /// "sr_1a2b3c4d".
    pub prefix: String,
    /// "Read and write".
    pub may: &'static str,
    /// "uma_user"; "user 7, removed".
    pub owner: String,
    pub created: When,
    pub expires: When,
    pub used: Option<When>,
    pub live: bool,
    /// "Live", "Expired", "Revoked", "Owner removed".
    pub state: &'static str,
}

/// `GET /admin/api-keys/new`, and again with what is wrong.
#[derive(Template)]
#[template(path = "auth/api_key_new.html")]
pub struct KeyNewPage {
    pub frame: Frame,
    /// The mark of this form, which can be sent once.
    pub once: String,
    pub name: String,
    pub scopes: Vec<ScopeChoice>,
    pub terms: Vec<Choice>,
    pub errors: Errors,
}

/// A scope on offer.
#[derive(Clone, Debug)]
pub struct ScopeChoice {
    pub value: &'static str,
    pub label: &'static str,
    pub says: &'static str,
    pub chosen: bool,
}

/// The answer of `POST /admin/api-keys/new`: the only page that ever shows the key.
#[derive(Template)]
#[template(path = "auth/api_key_made.html")]
pub struct KeyMadePage {
    pub frame: Frame,
    pub name: String,
    pub key: String,
    pub may: &'static str,
    pub expires: When,
    /// A command that uses it.
    pub example: String,
}

/// `GET /admin/api-keys/{id}/delete`.
#[derive(Template)]
#[template(path = "auth/api_key_delete.html")]
pub struct KeyRevokePage {
    pub frame: Frame,
    pub row: KeyRow,
    /// Somebody else's.
    pub foreign: bool,
}

/// `GET /admin/api-keys/revoke-all`.
#[derive(Template)]
#[template(path = "auth/api_keys_revoke_all.html")]
pub struct KeyRevokeAllPage {
    pub frame: Frame,
    /// Those that would be ended.
    pub rows: Vec<KeyRow>,
}
