//! The browser's door of the audit log.

pub mod views;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Map, Value};

use super::service;
use crate::app::App;
use crate::categories;
use crate::categories::model::Category;
use crate::changes::history::Entry;
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::items::model::FIELDS;
use crate::web::caller::Admin;
use crate::web::list::{Params, Window};
use crate::web::page::{self, Frame, initials};
use crate::web::view::{When, per_cent, url};
use views::{FieldChange, HistoryEntry, ItemHistoryPage};

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
    let (item, mut entries, categories) = app
        .read(move |conn| {
            let (item, entries) = service::item_history(conn, &admin, id, skip, limit + 1)?;
            Ok((item, entries, categories::store::all(conn)?))
        })
        .await?;
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let has_older = entries.len() > size;
    entries.truncate(size);
    let path = format!("/admin/items/{id}/history");
    let step = |to: i64| url(&path, &params.with("page", &to.to_string()));
    let page = skip / limit.max(1) + 1;
    let shown = ItemHistoryPage {
        frame: Frame::of(&req, &app, "items"),
        item_id: id,
        item_name: item.name,
        entries: entries.iter().map(|entry| view(entry, &categories)).collect(),
        newer_url: (page > 1).then(|| step(page - 1)),
        older_url: has_older.then(|| step(page + 1)),
    };
    page::show(&shown)
}

fn view(entry: &Entry, categories: &[Category]) -> HistoryEntry {
    let side = |text: &Option<String>| match text.as_deref().map(serde_json::from_str) {
        Some(Ok(Value::Object(fields))) => fields,
        _ => Map::new(),
    };
    let (before, after) = (side(&entry.before), side(&entry.after));
    let fields = FIELDS
        .iter()
        .filter_map(|(name, label)| {
            let read =
                |fields: &Map<String, Value>| fields.get(*name).and_then(|value| readable(name, value, categories));
            let (old, new) = (read(&before), read(&after));
            (old.is_some() || new.is_some()).then(|| FieldChange {
                label: (*label).to_owned(),
                before: old,
                after: new,
            })
        })
        .collect();
    HistoryEntry {
        who: entry.actor.clone(),
        initials: initials(&entry.actor),
        door: match entry.door.as_str() {
            "admin" => "Admin site".to_owned(),
            "api" => "API".to_owned(),
            "cli" => "Command line".to_owned(),
            other => other.to_owned(),
        },
        action: entry.action.clone(),
        at: When::on(entry.at),
        summary: Some(entry.summary.clone()).filter(|s| s.starts_with("Import")),
        fields,
    }
}

fn readable(name: &str, value: &Value, categories: &[Category]) -> Option<String> {
    Some(match (name, value) {
        (_, Value::Null) => return None,
        ("category_id", id) => {
            let id = id.as_i64()?;
            categories
                .iter()
                .find(|c| c.id == id)
                .map_or_else(|| format!("category {id}, deleted since"), |c| c.name.clone())
        }
        ("tax_rate", rate) => {
            crate::decimal::Amount::parse(&rate.to_string()).map_or_else(|_| rate.to_string(), |rate| per_cent(rate.0))
        }
        (_, Value::Bool(yes)) => if *yes { "Yes" } else { "No" }.to_owned(),
        (_, Value::String(text)) => text.clone(),
        (_, other) => other.to_string(),
    })
}
