//! The pages of items.

use askama::Template;

use crate::decimal::Amount;
use crate::items::model::Item;
use crate::web::conflict::Conflict;
use crate::web::page::Frame;
use crate::web::view::{Chip, Choice, ColumnHead, Errors, Money, Pagination, When};

/// `GET /admin/items`. app.js fetches the same page while one types and takes `#list` out of it.
#[derive(Template)]
#[template(path = "items/list.html")]
pub struct ItemListPage {
    pub frame: Frame,
    pub filters: ItemFilters,
    /// What is wrong with the filters, over an empty list.
    pub errors: Errors,
    /// The search and the filters in force. Empty with no rows means: there are no items at all.
    pub chips: Vec<Chip>,
    pub heads: ItemHeads,
    pub rows: Vec<ItemRow>,
    pub pages: Pagination,
    /// What a screen reader says after a search: "1,204 items", "Nothing matches".
    pub announce: String,
}

/// The filters as they were typed; empty where not set.
#[derive(Clone, Debug, Default)]
pub struct ItemFilters {
    pub q: String,
    pub categories: Vec<Choice>,
    /// `true`, `false` or empty.
    pub is_active: String,
    pub min_price: String,
    pub max_price: String,
    /// Whose items, by id: comes from the page of a user.
    pub owner_id: String,
    /// Kept by the form when it is not the default.
    pub sort: String,
    pub page_size: String,
}

/// The heads of the list's columns.
#[derive(Clone, Debug, Default)]
pub struct ItemHeads {
    pub name: ColumnHead,
    pub sku: ColumnHead,
    pub category: ColumnHead,
    pub price: ColumnHead,
    pub status: ColumnHead,
    pub updated: ColumnHead,
}

/// One row of the list.
#[derive(Clone, Debug)]
pub struct ItemRow {
    pub id: i64,
    pub name: String,
    /// Empty when it has none.
    pub sku: String,
    pub category: String,
    pub price: Money,
    pub is_active: bool,
    pub updated: When,
}

/// `GET /admin/items/new` and `/{id}/edit`, and again with what was typed and what is wrong with it.
#[derive(Template)]
#[template(path = "items/form.html")]
pub struct ItemFormPage {
    pub frame: Frame,
    /// "New item", "Edit item".
    pub heading: String,
    /// The item being edited, for the way back.
    pub item_name: Option<String>,
    /// Where the form posts to.
    pub action: String,
    /// "Create item", "Save changes".
    pub submit: &'static str,
    pub cancel_url: String,
    pub delete_url: Option<String>,
    pub values: ItemValues,
    pub categories: Vec<Choice>,
    pub errors: Errors,
}

/// What stands in the form's fields, as typed.
#[derive(Clone, Debug, Default)]
pub struct ItemValues {
    pub name: String,
    pub sku: String,
    pub description: String,
    pub price: String,
    pub currency: String,
    pub tax_rate: String,
    pub is_active: bool,
    /// Empty for a new item.
    pub version: String,
}

impl ItemValues {
    /// What the form of an item holds at first.
    pub fn of(item: &Item) -> Self {
        Self {
            name: item.name.clone(),
            sku: item.sku.clone().unwrap_or_default(),
            description: item.description.clone().unwrap_or_default(),
            price: Amount(item.price).to_string(),
            currency: item.currency.clone(),
            tax_rate: Amount(item.tax_rate).to_string(),
            is_active: item.is_active,
            version: item.version.to_string(),
        }
    }
}

/// `GET /admin/items/{id}`.
#[derive(Template)]
#[template(path = "items/show.html")]
pub struct ItemShowPage {
    pub frame: Frame,
    pub item: ItemDetail,
}

/// All there is to say of one item.
#[derive(Clone, Debug)]
pub struct ItemDetail {
    pub id: i64,
    pub name: String,
    pub sku: String,
    pub description: String,
    pub price: Money,
    /// "20 %".
    pub tax_rate: String,
    pub category: String,
    pub category_id: i64,
    pub is_active: bool,
    pub owner: String,
    pub version: i64,
    pub created: When,
    pub updated: When,
}

/// An edit that met somebody else's: both versions, field by field. The answer posts to the same edit
/// URL with `resolve=yes`, `version` (the one shown as theirs), `mine_<field>` for every field and
/// `pick_<field>` = `mine` or `theirs` for those that differ.
#[derive(Template)]
#[template(path = "items/conflict.html")]
pub struct ItemConflictPage {
    pub frame: Frame,
    pub item_id: i64,
    pub item_name: String,
    pub conflict: Conflict,
}

/// `GET /admin/items/{id}/delete`.
#[derive(Template)]
#[template(path = "items/delete.html")]
pub struct ItemDeletePage {
    pub frame: Frame,
    pub id: i64,
    pub name: String,
    pub sku: String,
    pub version: i64,
}

/// `POST /admin/items/bulk` without `confirm`: what it would do, and to which.
#[derive(Template)]
#[template(path = "items/bulk.html")]
pub struct ItemBulkPage {
    pub frame: Frame,
    /// "Deactivate 14 items?"
    pub heading: String,
    /// What that means, in a sentence.
    pub detail: String,
    /// `activate`, `deactivate` or `delete`.
    pub action: &'static str,
    /// "Deactivate 14 items".
    pub submit: String,
    pub destructive: bool,
    /// The first ten.
    pub names: Vec<BulkName>,
    /// "and 4 more".
    pub more: Option<String>,
    pub ids: Vec<i64>,
    /// The list it came from.
    pub back: String,
}

/// One of the items a bulk action would hit.
#[derive(Clone, Debug)]
pub struct BulkName {
    pub name: String,
    pub sku: String,
}
