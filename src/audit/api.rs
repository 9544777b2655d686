//! The JSON door of the log, in the order of the routes.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::value::RawValue;

use super::model::{Change, Counted, Undone};
use super::service::Choice;
use super::{list, service};
use crate::app::{App, KeyUse};
use crate::changes::Tx;
use crate::changes::history::Entry;
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::items::model::Item;
use crate::time::Timestamp;
use crate::web::caller::{Admin, Member};
use crate::web::etag;
use crate::web::idempotency::{Claimed, Once};
use crate::web::json::{self, Answer, Object};
use crate::web::list::{Listing, Params, Window};

/// `GET /api/v1/audit`: changesets, newest first, for admins.
///
/// # Errors
/// 400, 401, 403, 422.
pub async fn list(req: HttpRequest, _: Admin, app: Data<App>) -> Result<HttpResponse, Error> {
    let params = Params::parse(req.query_string())?;
    let query = list::Query::parse(&params, req.path(), app.key(KeyUse::Cursors))?;
    let fields = query.fields.clone();
    let listing = app.read(move |conn| list::find(conn, &query)).await?;
    json::many("Changesets retrieved successfully", &listing.map(|row| fields.cut(row)))
}

/// A changeset with a part of its changes.
#[derive(Serialize)]
struct Whole<'w> {
    #[serde(flatten)]
    counted: &'w Counted,
    changes: &'w [Change],
    changes_page: i64,
    changes_page_size: i64,
}

/// `GET /api/v1/audit/{id}`: a changeset and its changes, the first hundred or the part that `page` and `page_size`
/// say.
///
/// # Errors
/// 400, 401, 403, 404, 422.
pub async fn get(req: HttpRequest, _: Admin, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let params = Params::parse(req.query_string())?;
    let mut errors = FieldErrors::default();
    let window = Window::parse(&params, &mut errors)?;
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let (page, size) = match window {
        Window::Page { page, size } if params.get("page_size").is_some() => (page, size),
        Window::Page { page, .. } => (page, 100),
        _ => return Err(Error::Malformed("The changes of a changeset go by page and page_size.".to_owned())),
    };
    let (counted, changes) =
        app.read(move |conn| service::get(conn, id, (page - 1).saturating_mul(size), size)).await?;
    let whole = Whole { counted: &counted, changes: &changes, changes_page: page, changes_page_size: size };
    json::one_tagged("Changeset retrieved successfully", &whole)
}

/// `POST /api/v1/audit/{id}/revert`: undoes a whole changeset in a new one; `?force=true` overwrites what has
/// changed since.
///
/// # Errors
/// 400, 401, 403, 404, 409 with what has changed since, 422.
pub async fn revert(
    req: HttpRequest,
    caller: Admin,
    app: Data<App>,
    once: Once,
    id: Path<i64>,
) -> Result<HttpResponse, Error> {
    let params = Params::parse(req.query_string())?;
    let mut errors = FieldErrors::default();
    let force = params.boolean("force", &mut errors).unwrap_or_default();
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let claim = match once.claim(&app).await? {
        Claimed::Answered(answer) => return Ok(answer),
        Claimed::Mine(claim) => claim,
    };
    let show = |undone: &Undone| Answer::one(StatusCode::OK, "Changeset undone", undone);
    let choice = Choice { force, partly: false };
    let undone = service::revert(&app, &caller, id.into_inner(), choice, &claim, show).await?;
    Ok(show(&undone)?.into())
}

/// One entry of a history.
#[derive(Serialize)]
struct Shown<'e> {
    version: i64,
    action: &'e str,
    at: Timestamp,
    actor: &'e str,
    door: &'e str,
    summary: &'e str,
    changeset_id: i64,
    before: Option<Box<RawValue>>,
    after: Option<Box<RawValue>>,
}

impl<'e> Shown<'e> {
    fn of(entry: &'e Entry) -> Self {
        let raw = |text: &Option<String>| text.clone().and_then(|text| RawValue::from_string(text).ok());
        Self {
            version: entry.version,
            action: &entry.action,
            at: entry.at,
            actor: &entry.actor,
            door: &entry.door,
            summary: &entry.summary,
            changeset_id: entry.changeset_id,
            before: raw(&entry.before),
            after: raw(&entry.after),
        }
    }
}

/// `GET /api/v1/items/{id}/history`: what was done with an item, newest first, for who may edit it.
///
/// # Errors
/// 400, 401, 403, 404, 422.
pub async fn item_history(
    req: HttpRequest,
    caller: Member,
    app: Data<App>,
    id: Path<i64>,
) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let params = Params::parse(req.query_string())?;
    let mut errors = FieldErrors::default();
    let window = Window::parse(&params, &mut errors)?;
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    if matches!(window, Window::Cursor { cursor: Some(_), .. }) {
        return Err(Error::Malformed("A history goes by page and page_size, or skip and limit.".to_owned()));
    }
    let (skip, limit) = window.span();
    let (item, entries) = app.read(move |conn| service::item_history(conn, &caller, id, skip, limit + 1)).await?;
    // Each write makes a version, and each version has its entry.
    let listing = Listing::cut(entries, Some(item.version), window, |_| String::new());
    let mut listing = listing.map(Shown::of);
    listing.next_cursor = None;
    json::many("History retrieved successfully", &listing)
}

/// `POST /api/v1/items/{id}/revert` `{"version":3}`: a new version that equals that one.
///
/// # Errors
/// 400, 401, 403, 404, 409, 412, 415, 422, 428.
pub async fn revert_item(
    req: HttpRequest,
    caller: Member,
    app: Data<App>,
    id: Path<i64>,
    once: Once,
    body: Object,
) -> Result<HttpResponse, Error> {
    let expected = etag::expected(&req, &app)?;
    let mut errors = FieldErrors::default();
    let version = body.0.integer("version", &mut errors).value();
    if version.is_none() {
        errors.add("version", "required", "is required: the version to go back to");
    }
    let version = errors.into_result(|| version)?;
    let id = id.into_inner();
    let work = move |tx: &mut Tx<'_>| service::revert_item(tx, id, version, &expected);
    let show = |item: &Item| Answer::versioned("Item reverted successfully", item, item.version);
    once.write(&app, &caller, work, show).await
}
