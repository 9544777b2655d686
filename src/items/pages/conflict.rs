//! Two people edited one item: what `web/conflict.rs` needs to know of items.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::Value;

use super::views::{ItemConflictPage, ItemValues};
use super::{PATH, category_name};
use crate::app::App;
use crate::categories;
use crate::decimal::Amount;
use crate::error::Error;
use crate::fields::Input;
use crate::items::model::{FIELDS, Item};
use crate::items::service;
use crate::time::Timestamp;
use crate::web::caller::Admin;
use crate::web::conflict::{self, Conflict, Fields};
use crate::web::page::{self, Frame};
use crate::web::view::When;

/// 409 with both versions: what was typed, and what is there.
///
/// # Errors
/// 404 when the item was deleted meanwhile.
pub async fn show(req: &HttpRequest, admin: &Admin, app: &App, id: i64, mine: &Input) -> Result<HttpResponse, Error> {
    let seen: i64 = mine.typed("version").parse().unwrap_or_default();
    let caller = admin.clone();
    let (item, before, last, categories) = app
        .read(move |conn| {
            let item = service::get(conn, &caller, id)?;
            let before = service::at_version(conn, &item, seen)?;
            let last = service::last_change(conn, id)?;
            Ok((item, before, last, categories::store::all(conn)?))
        })
        .await?;
    let theirs = posted(&item);
    let shown = |name: &str, raw: &str| match name {
        "category_id" => raw.parse().map_or_else(|_| String::new(), |id| category_name(&categories, id)),
        "is_active" => if is_true(raw) { "Yes" } else { "No" }.to_owned(),
        _ => raw.to_owned(),
    };
    let (differing, equal) = conflict::compare(
        &FIELDS,
        |name| normal(name, mine.typed(name)),
        |name| value_of(&theirs, name),
        |name| value_of(&before, name),
        shown,
    );
    let (theirs_by, at) = last.unwrap_or_else(|| ("somebody".to_owned(), item.updated_at));
    let page = ItemConflictPage {
        frame: Frame::of(req, app, "items"),
        item_id: id,
        item_name: item.name.clone(),
        conflict: Conflict {
            action: format!("{PATH}/{id}/edit"),
            back: format!("{PATH}/{id}"),
            version: item.version,
            theirs_by,
            theirs_at: When::ago(at, Timestamp::now()),
            differing,
            equal,
        },
    };
    page::show_as(StatusCode::CONFLICT, &page)
}

/// The fields that somebody chose: of each, mine or theirs.
pub fn chosen(form: &Input, current: &Item) -> Input {
    let theirs = posted(current);
    conflict::chosen(form, &FIELDS, |name| value_of(&theirs, name))
}

/// An item as the form posts it.
fn posted(item: &Item) -> Fields {
    let values = ItemValues::of(item);
    let mut fields = Fields::new();
    let mut put = |name: &str, value: String| fields.insert(name.to_owned(), Value::from(value));
    put("name", values.name);
    put("sku", values.sku);
    put("description", values.description);
    put("price", values.price);
    put("currency", values.currency);
    put("tax_rate", values.tax_rate);
    put("category_id", item.category_id.to_string());
    put("is_active", item.is_active.to_string());
    fields
}

fn value_of(fields: &Fields, name: &str) -> String {
    normal(name, &conflict::text(fields, name))
}

/// `1.50` and `1.5` are the same price; `on` and `true` the same tick.
fn normal(name: &str, text: &str) -> String {
    match name {
        "price" | "tax_rate" => Amount::parse(text).map_or_else(|_| text.to_owned(), |amount| amount.to_string()),
        "is_active" => is_true(text).to_string(),
        "currency" => text.to_uppercase(),
        // A browser sends the ends of lines as CRLF.
        _ => text.replace("\r\n", "\n"),
    }
}

fn is_true(text: &str) -> bool {
    matches!(text, "true" | "on" | "1")
}
