//! The pages of categories.

use askama::Template;

use crate::web::page::Frame;
use crate::web::view::{ColumnHead, Errors, Pagination, When};

/// `GET /admin/categories`.
#[derive(Template)]
#[template(path = "categories/list.html")]
pub struct CategoryListPage {
    pub frame: Frame,
    pub heads: CategoryHeads,
    pub rows: Vec<CategoryRow>,
    pub pages: Pagination,
}

/// The heads of the list's columns.
#[derive(Clone, Debug, Default)]
pub struct CategoryHeads {
    pub name: ColumnHead,
    pub description: ColumnHead,
    pub items: ColumnHead,
    pub updated: ColumnHead,
}

/// One row of the list.
#[derive(Clone, Debug)]
pub struct CategoryRow {
    pub id: i64,
    pub name: String,
    pub description: String,
    /// "21,551".
    pub item_count: String,
    pub updated: When,
}

/// `GET /admin/categories/new` and `/{id}/edit`, and again with what is wrong.
#[derive(Template)]
#[template(path = "categories/form.html")]
pub struct CategoryFormPage {
    pub frame: Frame,
    pub heading: String,
    pub action: String,
    pub submit: &'static str,
    pub delete_url: Option<String>,
    pub name: String,
    pub description: String,
    /// The version that is being changed; empty for a new category.
    pub version: String,
    pub errors: Errors,
}

/// `GET /admin/categories/{id}/delete`.
#[derive(Template)]
#[template(path = "categories/delete.html")]
pub struct CategoryDeletePage {
    pub frame: Frame,
    pub id: i64,
    pub name: String,
    /// "21,551 items are" or "1 item is"; absent when it may be deleted.
    pub in_use: Option<String>,
}
