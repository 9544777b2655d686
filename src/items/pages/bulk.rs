//! The same for many items: first what it would do, then the act.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::PATH;
use super::views::{BulkName, ItemBulkPage};
use crate::app::App;
use crate::changes::Entity;
use crate::error::Error;
use crate::items::service::{self, Bulk};
use crate::items::store;
use crate::web::caller::Admin;
use crate::web::form::Form;
use crate::web::page::{self, Frame};
use crate::web::view::thousands;

/// A page has at most so many rows to select.
const MOST: usize = 100;
/// So many are named in the question.
const NAMED: usize = 10;

/// `POST /admin/items/bulk`: without `confirm=yes` the question, with it the act.
///
/// # Errors
/// 400 for an act that is not known or more items than a page has, 403.
pub async fn bulk(req: HttpRequest, admin: Admin, app: Data<App>, form: Form) -> Result<HttpResponse, Error> {
    let back = page::own_path(form.verbatim("back"), PATH);
    let (act, action) = match form.verbatim("action") {
        "activate" => (Bulk::Activate, "activate"),
        "deactivate" => (Bulk::Deactivate, "deactivate"),
        "delete" => (Bulk::Delete, "delete"),
        _ => return Err(Error::Malformed("The form does not say what to do.".to_owned())),
    };
    let parsed: Result<Vec<i64>, _> = form.all("ids").map(str::parse).collect();
    let mut ids = parsed.map_err(|_| Error::Malformed("The form names something that is no item.".to_owned()))?;
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > MOST {
        return Err(Error::Malformed(format!("Select at most {MOST} items.")));
    }
    if ids.is_empty() {
        page::flash_error(&req, "Select the items first.");
        return Ok(page::see_other(&back));
    }
    if form.verbatim("confirm") == "yes" {
        let done = app.write(&admin, move |tx| service::bulk(tx, &ids, act)).await?;
        let verb = match act {
            Bulk::Activate => "Activated",
            Bulk::Deactivate => "Deactivated",
            Bulk::Delete => "Deleted",
        };
        page::flash_ok(&req, format!("{verb} {}", Entity::Item.counted(done)));
        return Ok(page::see_other(&back));
    }
    let items = app.read(move |conn| Ok(store::batch::find_all(conn, &ids)?)).await?;
    if items.is_empty() {
        page::flash_error(&req, "These items are gone already.");
        return Ok(page::see_other(&back));
    }
    let counted = Entity::Item.counted(items.len());
    let (verb, detail) = match act {
        Bulk::Activate => ("Activate", "Everybody can see them then. What is active already stays as it is."),
        Bulk::Deactivate => {
            ("Deactivate", "Only their owners and admins can see them then. What is inactive already stays as it is.")
        }
        Bulk::Delete => ("Delete", "They disappear from the catalogue. The audit log keeps what they were."),
    };
    let names: Vec<BulkName> = items
        .iter()
        .take(NAMED)
        .map(|item| BulkName { name: item.name.clone(), sku: item.sku.clone().unwrap_or_default() })
        .collect();
    let rest = items.len().saturating_sub(NAMED);
    let page = ItemBulkPage {
        frame: Frame::of(&req, &app, "items"),
        heading: format!("{verb} {counted}?"),
        detail: detail.to_owned(),
        action,
        submit: format!("{verb} {counted}"),
        destructive: act == Bulk::Delete,
        names,
        more: (rest > 0).then(|| format!("and {} more", thousands(i64::try_from(rest).unwrap_or_default()))),
        ids: items.iter().map(|item| item.id).collect(),
        back,
    };
    page::show(&page)
}
