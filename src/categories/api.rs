//! The JSON door of categories, in the order of the routes.

use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::list;
use super::model::{CategoryInput, Counted};
use super::service;
use crate::app::{App, KeyUse};
use crate::changes::Tx;
use crate::error::Error;
use crate::fields::Mode;
use crate::web::caller::{Anyone, Member};
use crate::web::etag;
use crate::web::idempotency::Once;
use crate::web::json::{self, Answer, Object};
use crate::web::list::Params;

/// `GET /api/v1/categories`.
///
/// # Errors
/// 400, 401, 422.
pub async fn list(req: HttpRequest, caller: Anyone, app: Data<App>) -> Result<HttpResponse, Error> {
    let params = Params::parse(req.query_string())?;
    let query = list::Query::parse(&params, req.path(), app.key(KeyUse::Cursors))?;
    let fields = query.fields.clone();
    let listing = app.read(move |conn| list::find(conn, &caller, &query)).await?;
    json::many("Categories retrieved successfully", &listing.map(|row| fields.cut(row)))
}

/// `POST /api/v1/categories`.
///
/// # Errors
/// 400, 401, 403, 409, 415, 422.
pub async fn create(caller: Member, app: Data<App>, once: Once, body: Object) -> Result<HttpResponse, Error> {
    let input = CategoryInput::read(&body.0);
    let who = caller.clone();
    let work = move |tx: &mut Tx<'_>| {
        let category = service::create(tx, input)?;
        service::counted(tx.conn, &who, category)
    };
    let show = |made: &Counted| {
        let location = format!("/api/v1/categories/{}", made.category.id);
        Answer::created("Category created successfully", made, location, made.category.version)
    };
    once.write(&app, &caller, work, show).await
}

/// `GET /api/v1/categories/{id}`.
///
/// # Errors
/// 401, 404.
pub async fn get(caller: Anyone, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let category = app.look_up(move |conn| service::get(conn, &caller, id)).await?;
    Ok(json::versioned("Category retrieved successfully", &category, category.category.version))
}

/// `PUT /api/v1/categories/{id}`: what is absent takes its default.
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

/// `PATCH /api/v1/categories/{id}`: what is absent stays, `null` clears.
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
    let input = CategoryInput::read(&body.0);
    let who = caller.clone();
    let changed = app
        .write(caller, move |tx| {
            let category = service::update(tx, id, input, mode, &expected)?;
            service::counted(tx.conn, &who, category)
        })
        .await?;
    Ok(json::versioned("Category updated successfully", &changed, changed.category.version))
}

/// `DELETE /api/v1/categories/{id}`: one that holds no item.
///
/// # Errors
/// 401, 403, 404, 409, 412, 428.
pub async fn delete(req: HttpRequest, caller: Member, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let expected = etag::expected(&req, &app)?;
    let id = id.into_inner();
    app.write(&caller, move |tx| service::delete(tx, id, &expected)).await?;
    Ok(HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, "no-store")).finish())
}
