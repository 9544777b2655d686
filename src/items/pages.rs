//! The browser's door of items: the list here, one item in `pages/one.rs`, its forms in `pages/edit.rs`, the
//! conflict of two editors in `pages/conflict.rs`, many at once in `pages/bulk.rs`.

pub mod bulk;
pub mod conflict;
pub mod edit;
pub mod one;
pub mod views;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::list::{self, Query};
use super::model::Item;
use super::store;
use super::store::page::{By, Column};
use crate::app::{App, KeyUse};
use crate::categories;
use crate::categories::model::Category;
use crate::decimal::{Amount, grouped};
use crate::error::Error;
use crate::time::Timestamp;
use crate::web::caller::Admin;
use crate::web::list::{Params, Window};
use crate::web::page::{self, Frame};
use crate::web::view::{Chip, Choice, Errors, Heads, Money, Pagination, When, thousands};
use views::{ItemFilters, ItemHeads, ItemListPage, ItemRow};

/// Where the list lies.
pub const PATH: &str = "/admin/items";

/// `GET /admin/items`.
///
/// # Errors
/// 400 for a query string that cannot be read, 403.
pub async fn list(req: HttpRequest, admin: Admin, app: Data<App>) -> Result<HttpResponse, Error> {
    let params = Params::parse(req.query_string())?;
    let newest = By { column: Column::Id, descending: true };
    let (query, errors, status) = match Query::parse(&params, PATH, &admin, app.key(KeyUse::Cursors), newest) {
        Ok(query) => (Some(query), Errors::default(), StatusCode::OK),
        Err(error) => {
            let (status, errors) = page::mistakes(error)?;
            (None, errors, status)
        }
    };
    let bounded = query.as_ref().is_none_or(Query::may_be_bounded);
    let owner_id: Option<i64> = params.get("owner_id").and_then(|id| id.parse().ok());
    let load = move |conn: &mut crate::db::Conn| {
        let listing = query.as_ref().map(|query| list::find(conn, query)).transpose()?;
        let owner = owner_id.map(|id| store::owner_name(conn, id)).transpose()?.flatten();
        Ok((listing, categories::store::all(conn)?, owner))
    };
    let (listing, categories, owner) = if bounded { app.look_up(load).await? } else { app.read(load).await? };
    let (rows, total, window) = match listing {
        Some(listing) => (listing.rows, listing.total.unwrap_or_default(), listing.window),
        None => (Vec::new(), 0, Window::Page { page: 1, size: 20 }),
    };
    let heads = Heads::new(PATH, &params, params.get("sort"));
    let now = Timestamp::now();
    let shown = ItemListPage {
        frame: Frame::of(&req, &app, "items"),
        filters: filters(&params, &categories),
        errors,
        chips: chips(&params, &categories, owner.as_deref()),
        heads: ItemHeads {
            name: heads.sortable("Name", "name"),
            sku: heads.sortable("SKU", "sku"),
            category: heads.plain("Category"),
            price: heads.sortable("Price", "price"),
            status: heads.plain("Status"),
            updated: heads.sortable("Updated", "updated_at"),
        },
        rows: rows.iter().map(|item| row(item, &categories, now)).collect(),
        pages: Pagination::of(PATH, &params, &window, total, rows.len()),
        announce: match total {
            0 => "Nothing matches".to_owned(),
            1 => "1 item".to_owned(),
            many => format!("{} items", thousands(many)),
        },
    };
    page::show_as(status, &shown)
}

fn filters(params: &Params, categories: &[Category]) -> ItemFilters {
    let typed = |name: &str| params.get(name).unwrap_or_default().to_owned();
    ItemFilters {
        q: typed("q"),
        categories: choices(categories, params.get("category_id").and_then(|id| id.parse().ok())),
        is_active: typed("is_active"),
        min_price: typed("min_price"),
        max_price: typed("max_price"),
        owner_id: typed("owner_id"),
        sort: typed("sort"),
        page_size: typed("page_size"),
    }
}

fn chips(params: &Params, categories: &[Category], owner: Option<&str>) -> Vec<Chip> {
    let label = |name: &str, value: &str| match name {
        "q" => format!("“{value}”"),
        "category_id" => {
            let named = categories.iter().find(|c| c.id.to_string() == value).map_or(value, |c| c.name.as_str());
            format!("Category: {named}")
        }
        "owner_id" => format!("Owner: {}", owner.unwrap_or(value)),
        "is_active" if value == "true" => "Active".to_owned(),
        "is_active" => "Inactive".to_owned(),
        "min_price" => format!("Price from {value}"),
        _ => format!("Price to {value}"),
    };
    ["q", "category_id", "owner_id", "is_active", "min_price", "max_price"]
        .into_iter()
        .filter_map(|name| {
            let value = params.get(name)?;
            Some(Chip { label: label(name, value), clear_url: crate::web::view::url(PATH, &params.with(name, "")) })
        })
        .collect()
}

/// The categories as options, the chosen one selected.
pub fn choices(categories: &[Category], chosen: Option<i64>) -> Vec<Choice> {
    let choice =
        |c: &Category| Choice { value: c.id.to_string(), label: c.name.clone(), selected: chosen == Some(c.id) };
    categories.iter().map(choice).collect()
}

fn row(item: &Item, categories: &[Category], now: Timestamp) -> ItemRow {
    ItemRow {
        id: item.id,
        name: item.name.clone(),
        sku: item.sku.clone().unwrap_or_default(),
        category: category_name(categories, item.category_id),
        price: money(item),
        is_active: item.is_active,
        updated: When::ago(item.updated_at, now),
    }
}

/// A category's name.
pub fn category_name(categories: &[Category], id: i64) -> String {
    categories.iter().find(|c| c.id == id).map_or_else(String::new, |c| c.name.clone())
}

/// A price as it is read.
pub fn money(item: &Item) -> Money {
    Money { amount: grouped(Amount(item.price), 2), currency: item.currency.clone() }
}
