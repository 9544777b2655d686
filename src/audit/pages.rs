//! The browser's door of the audit log: the history of an item here, the log in `pages/log.rs`, one changeset in
//! `pages/one.rs`, undoing it in `pages/undo.rs`.

pub mod log;
pub mod one;
pub mod undo;
pub mod views;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use super::service;
use crate::app::App;
use crate::categories;
use crate::categories::model::Category;
use crate::decimal::Amount;
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::items::model::FIELDS;
use crate::web::caller::Admin;
use crate::web::difference::plain;
use crate::web::history::History;
use crate::web::list::{Params, Window};
use crate::web::page::{self, Frame};
use crate::web::view::per_cent;
use views::ItemHistoryPage;

/// Where the log lies.
pub const PATH: &str = "/admin/audit";
/// The place of the sidebar.
pub const PLACE: &str = "audit";

/// `GET /admin/items/{id}/history`.
///
/// # Errors
/// 400, 403, 404.
pub async fn item_history(
    req: HttpRequest,
    admin: Admin,
    app: Data<App>,
    id: Path<i64>,
) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let params = Params::parse(req.query_string())?;
    let window = Window::parse(&params, &mut FieldErrors::default())?;
    let (skip, limit) = window.span();
    let (item, entries, categories) = app
        .read(move |conn| {
            let (item, entries) = service::item_history(conn, &admin, id, skip, limit + 1)?;
            Ok((item, entries, categories::store::all(conn)?))
        })
        .await?;
    let path = format!("/admin/items/{id}/history");
    let readable = |name: &str, value: &Value| readable(name, value, &categories);
    let telling = |summary: &str| summary.starts_with("Import");
    let fields: Vec<(&str, &str)> = FIELDS.into_iter().chain([("images", "Images")]).collect();
    let shown = ItemHistoryPage {
        frame: Frame::of(&req, &app, "items"),
        item_id: id,
        item_name: item.name,
        history: History::of(&path, &params, &window, entries, &fields, readable, telling),
    };
    page::show(&shown)
}

fn readable(name: &str, value: &Value, categories: &[Category]) -> Option<String> {
    Some(match name {
        "category_id" => {
            let id = value.as_i64()?;
            categories
                .iter()
                .find(|c| c.id == id)
                .map_or_else(|| format!("category {id}, deleted since"), |c| c.name.clone())
        }
        "tax_rate" => Amount::parse(&value.to_string()).map_or_else(|_| value.to_string(), |rate| per_cent(rate.0)),
        "images" => {
            let names = value.as_array()?.iter().filter_map(|image| image.get("filename")?.as_str());
            let names: Vec<&str> = names.collect();
            if names.is_empty() {
                return None;
            }
            names.join(", ")
        }
        _ => plain(value),
    })
}
