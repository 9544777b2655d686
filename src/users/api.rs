//! The JSON door of users, in the order of the routes.

use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::hashing::Hashing;
use super::list;
use super::model::{User, UserInput, may_set};
use super::service;
use crate::app::{App, KeyUse};
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::items;
use crate::items::store::page::{By, Column};
use crate::limits::Quota;
use crate::web::caller::{Admin, Member};
use crate::web::etag;
use crate::web::idempotency::Once;
use crate::web::json::{self, Answer, Object};
use crate::web::list::Params;
use crate::web::rate_limit;

/// `GET /api/v1/users/me`: who the caller is.
///
/// # Errors
/// 401 when nobody is signed in.
pub async fn me(caller: Member, app: Data<App>) -> Result<HttpResponse, Error> {
    let id = caller.id();
    let user = app.look_up(move |conn| service::get(conn, &caller, id)).await?;
    Ok(shown("User retrieved successfully", &user))
}

/// `PATCH /api/v1/users/me`: changes oneself.
///
/// # Errors
/// 400, 401, 403, 409, 412, 415, 422, 428.
pub async fn patch_me(req: HttpRequest, caller: Member, app: Data<App>, body: Object) -> Result<HttpResponse, Error> {
    change(&req, &caller, &app, caller.id(), &body).await
}

/// `GET /api/v1/users`: all of them, for admins.
///
/// # Errors
/// 400, 401, 403, 422.
pub async fn list(req: HttpRequest, _: Admin, app: Data<App>) -> Result<HttpResponse, Error> {
    let params = Params::parse(req.query_string())?;
    let query = list::Query::parse(&params, req.path(), app.key(KeyUse::Cursors))?;
    let fields = query.fields.clone();
    let listing = app.read(move |conn| list::find(conn, &query)).await?;
    json::many("Users retrieved successfully", &listing.map(|row| fields.cut(row)))
}

/// `POST /api/v1/users`: makes a user, for admins. Without a password they are invited by mail.
///
/// # Errors
/// 400, 401, 403, 409, 415, 422, 429, 503.
pub async fn create(
    req: HttpRequest,
    caller: Admin,
    app: Data<App>,
    hashing: Data<Hashing>,
    once: Once,
    body: Object,
) -> Result<HttpResponse, Error> {
    rate_limit::limit(&req, &app, Quota::CreateUser).await?;
    let input = UserInput::read(&body.0);
    may_set(&caller, &input, None)?;
    let new = hashing.prepare_or_invite(input).await?;
    let show = |user: &User| {
        Answer::created("User created successfully", user, format!("/api/v1/users/{}", user.id), user.version)
    };
    once.write(&app, &caller, move |tx| service::create(tx, &new), show).await
}

/// `GET /api/v1/users/{id}`: oneself, or for admins anybody.
///
/// # Errors
/// 401, 404.
pub async fn get(caller: Member, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let user = app.look_up(move |conn| service::get(conn, &caller, id)).await?;
    Ok(shown("User retrieved successfully", &user))
}

/// `PATCH /api/v1/users/{id}`: oneself, or for admins anybody.
///
/// # Errors
/// 400, 401, 403, 404, 409, 412, 415, 422, 428.
pub async fn patch(
    req: HttpRequest,
    caller: Member,
    app: Data<App>,
    id: Path<i64>,
    body: Object,
) -> Result<HttpResponse, Error> {
    change(&req, &caller, &app, id.into_inner(), &body).await
}

async fn change(req: &HttpRequest, caller: &Member, app: &App, id: i64, body: &Object) -> Result<HttpResponse, Error> {
    let expected = etag::expected(req, app)?;
    let input = UserInput::read(&body.0);
    let user = app.write(caller, move |tx| service::update(tx, id, input, &expected)).await?;
    Ok(shown("User updated successfully", &user))
}

/// `DELETE /api/v1/users/{id}`, for admins; `?reassign_to=ID` gives what they own to another user.
///
/// # Errors
/// 400, 401, 403, 404, 409, 412, 422, 428.
pub async fn delete(req: HttpRequest, caller: Admin, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let expected = etag::expected(&req, &app)?;
    let params = Params::parse(req.query_string())?;
    let mut errors = FieldErrors::default();
    let reassign_to = params.integer("reassign_to", &mut errors);
    if !errors.is_empty() {
        return Err(Error::Invalid(errors));
    }
    let id = id.into_inner();
    app.write(&caller, move |tx| service::delete(tx, id, &expected, reassign_to)).await?;
    Ok(HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, "no-store")).finish())
}

/// `GET /api/v1/users/{id}/items`: what a user owns, each item with its category; three statements however
/// many there are.
///
/// # Errors
/// 400, 401, 404, 422.
pub async fn items(req: HttpRequest, caller: Member, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let params = Params::parse(req.query_string())?;
    let by_id = By { column: Column::Id, descending: false };
    let mut query = items::list::Query::parse(&params, req.path(), &caller, app.key(KeyUse::Cursors), by_id)?;
    query.filter.owner_id = Some(id);
    query.shape = query.shape.with_category();
    let found = app.read(move |conn| {
        service::get(conn, &caller, id)?;
        let (listing, related) = items::list::find_related(conn, &query)?;
        Ok((query.shape, listing, related))
    });
    let (shape, listing, related) = found.await?;
    json::many("Items retrieved successfully", &listing.map(|item| shape.show(item, item, &related)))
}

fn shown(message: &str, user: &User) -> HttpResponse {
    json::versioned(message, user, user.version)
}
