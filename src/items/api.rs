//! The JSON door of items, in the order of the routes.

pub mod bulk;
pub mod transfer;
pub mod v2;

use std::sync::Arc;

use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::list;
use super::model::{Item, ItemInput, SHOWN};
use super::service;
use super::shown::{Related, Shape};
use super::store::page::{By, Column};
use crate::app::{App, KeyUse};
use crate::categories;
use crate::error::Error;
use crate::fields::Mode;
use crate::web::caller::{Anyone, Member};
use crate::web::etag;
use crate::web::idempotency::Once;
use crate::web::json::{self, Answer, Object};
use crate::web::list::{Listing, Params};

/// `GET /api/v1/items`: those that the caller may know of.
///
/// # Errors
/// 400, 401, 422.
pub async fn list(req: HttpRequest, caller: Anyone, app: Data<App>) -> Result<HttpResponse, Error> {
    let params = Params::parse(req.query_string())?;
    let default = By { column: Column::Id, descending: false };
    let query = list::Query::parse(&params, req.path(), &caller, app.key(KeyUse::Cursors), default)?;
    let (query, listing, related) = list::fetch(&app, query).await?;
    many(&query.shape, &listing, &related)
}

fn many(shape: &Shape, listing: &Listing<Item>, related: &Related) -> Result<HttpResponse, Error> {
    const MESSAGE: &str = "Items retrieved successfully";
    if shape.is_plain() {
        return json::many_versioned(MESSAGE, listing);
    }
    json::many(MESSAGE, &listing.map(|item| shape.show(item, item, related)))
}

/// `GET /api/v1/categories/{id}/items`: those of a category that the caller may know of.
///
/// # Errors
/// 400, 401, 404, 422.
pub async fn in_category(
    req: HttpRequest,
    caller: Anyone,
    app: Data<App>,
    id: Path<i64>,
) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let params = Params::parse(req.query_string())?;
    let default = By { column: Column::Id, descending: false };
    let mut query = list::Query::parse(&params, req.path(), &caller, app.key(KeyUse::Cursors), default)?;
    query.filter.category_id = Some(id);
    let query = Arc::new(query);
    let inside = Arc::clone(&query);
    let found = app.read(move |conn| {
        if !categories::store::exists(conn, id)? {
            return Err(Error::missing("Category", id));
        }
        list::find_related(conn, &inside)
    });
    let (listing, related) = found.await?;
    many(&query.shape, &listing, &related)
}

/// `POST /api/v1/items`: makes an item that the caller owns.
///
/// # Errors
/// 400, 401, 403, 409, 415, 422.
pub async fn create(caller: Member, app: Data<App>, once: Once, body: Object) -> Result<HttpResponse, Error> {
    let input = ItemInput::read(&body.0);
    let show = |item: &Item| {
        Answer::created("Item created successfully", item, format!("/api/v1/items/{}", item.id), item.version)
    };
    once.write(&app, &caller, move |tx| service::create(tx, input), show).await
}

/// `GET /api/v1/items/{id}`.
///
/// # Errors
/// 400, 401, 404, 422.
pub async fn get(req: HttpRequest, caller: Anyone, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    const MESSAGE: &str = "Item retrieved successfully";
    let id = id.into_inner();
    let shape = Shape::of(req.query_string(), &SHOWN, &caller)?;
    if shape.is_plain() {
        let item = app.look_up(move |conn| service::get(conn, &caller, id)).await?;
        return Ok(json::versioned(MESSAGE, &item, item.version));
    }
    let (shape, item, related) = app.look_up(move |conn| service::get_shown(conn, &caller, id, shape)).await?;
    json::shown(MESSAGE, &shape.show(&item, &item, &related), item.version)
}

/// `PUT /api/v1/items/{id}`: what is absent takes its default.
///
/// # Errors
/// 400, 401, 403, 404, 409, 412, 415, 422, 428.
pub async fn replace(
    req: HttpRequest,
    caller: Member,
    app: Data<App>,
    id: Path<i64>,
    body: Object,
) -> Result<HttpResponse, Error> {
    change(&req, &caller, &app, id.into_inner(), &body, Mode::Replace).await
}

/// `PATCH /api/v1/items/{id}`: what is absent stays, `null` clears.
///
/// # Errors
/// As [`replace`].
pub async fn patch(
    req: HttpRequest,
    caller: Member,
    app: Data<App>,
    id: Path<i64>,
    body: Object,
) -> Result<HttpResponse, Error> {
    change(&req, &caller, &app, id.into_inner(), &body, Mode::Patch).await
}

async fn change(
    req: &HttpRequest,
    caller: &Member,
    app: &App,
    id: i64,
    body: &Object,
    mode: Mode,
) -> Result<HttpResponse, Error> {
    let expected = etag::expected(req, app)?;
    let input = ItemInput::read(&body.0);
    let item = app.write(caller, move |tx| service::update(tx, id, input, mode, &expected)).await?;
    Ok(json::versioned("Item updated successfully", &item, item.version))
}

/// `DELETE /api/v1/items/{id}`.
///
/// # Errors
/// 401, 403, 404, 412, 428.
pub async fn delete(req: HttpRequest, caller: Member, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let expected = etag::expected(&req, &app)?;
    let id = id.into_inner();
    app.write(&caller, move |tx| service::delete(tx, id, &expected)).await?;
    Ok(HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, "no-store")).finish())
}
