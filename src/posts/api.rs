//! The JSON door of posts, in the order of the routes.

use actix_web::http::header;
use actix_web::web::{self, Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::list;
use super::model::{Post, PostInput, Rendered};
use super::service;
use crate::app::{App, KeyUse};
use crate::error::Error;
use crate::fields::Mode;
use crate::web::caller::{Anyone, Member};
use crate::web::etag;
use crate::web::idempotency::Once;
use crate::web::json::{self, Answer, LongObject};
use crate::web::list::Params;

/// `GET /api/v1/posts`: those that the caller may know of, without their HTML.
///
/// # Errors
/// 400, 401, 422.
pub async fn list(req: HttpRequest, caller: Anyone, app: Data<App>) -> Result<HttpResponse, Error> {
    let params = Params::parse(req.query_string())?;
    let query = list::Query::parse(&params, req.path(), &caller, app.key(KeyUse::Cursors))?;
    let listing = app.read(move |conn| list::find(conn, &query)).await?;
    json::many_versioned("Posts retrieved successfully", &listing)
}

/// `POST /api/v1/posts`: makes a post that the caller has written.
///
/// # Errors
/// 400, 401, 403, 413, 415, 422.
pub async fn create(caller: Member, app: Data<App>, once: Once, body: LongObject) -> Result<HttpResponse, Error> {
    let input = PostInput::read(&body.0);
    let show = |post: &Post| {
        let location = format!("/api/v1/posts/{}", post.id);
        Answer::created("Post created successfully", &Rendered::from(post.clone()), location, post.version)
    };
    once.write(&app, &caller, move |tx| service::create(tx, input), show).await
}

/// `GET /api/v1/posts/{id}`.
///
/// # Errors
/// 401, 404.
pub async fn get(caller: Anyone, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let post = app.look_up(move |conn| service::get(conn, &caller, id)).await?;
    shown("Post retrieved successfully", post).await
}

/// `PUT /api/v1/posts/{id}`: what is absent takes its default; without `published` it is published no longer.
///
/// # Errors
/// 400, 401, 403, 404, 412, 413, 415, 422, 428.
pub async fn replace(
    req: HttpRequest,
    caller: Member,
    app: Data<App>,
    id: Path<i64>,
    body: LongObject,
) -> Result<HttpResponse, Error> {
    change(&req, &caller, &app, id.into_inner(), &body, Mode::Replace).await
}

/// `PATCH /api/v1/posts/{id}`: what is absent stays.
///
/// # Errors
/// As [`replace`].
pub async fn patch(
    req: HttpRequest,
    caller: Member,
    app: Data<App>,
    id: Path<i64>,
    body: LongObject,
) -> Result<HttpResponse, Error> {
    change(&req, &caller, &app, id.into_inner(), &body, Mode::Patch).await
}

async fn change(
    req: &HttpRequest,
    caller: &Member,
    app: &App,
    id: i64,
    body: &LongObject,
    mode: Mode,
) -> Result<HttpResponse, Error> {
    let expected = etag::expected(req, app)?;
    let input = PostInput::read(&body.0);
    let post = app.write(caller, move |tx| service::update(tx, id, input, mode, &expected)).await?;
    shown("Post updated successfully", post).await
}

/// `DELETE /api/v1/posts/{id}`.
///
/// # Errors
/// 401, 403, 404, 412, 428.
pub async fn delete(req: HttpRequest, caller: Member, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let expected = etag::expected(&req, &app)?;
    let id = id.into_inner();
    app.write(&caller, move |tx| service::delete(tx, id, &expected)).await?;
    Ok(HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, "no-store")).finish())
}

/// `POST /api/v1/posts/{id}/publish`: everybody may read it; again changes nothing.
///
/// # Errors
/// 401, 403, 404, 412, 428.
pub async fn publish(
    req: HttpRequest,
    caller: Member,
    app: Data<App>,
    once: Once,
    id: Path<i64>,
) -> Result<HttpResponse, Error> {
    set_published(&req, &caller, &app, once, id.into_inner(), true).await
}

/// `POST /api/v1/posts/{id}/unpublish`: only its author and admins may read it; again changes nothing.
///
/// # Errors
/// As [`publish`].
pub async fn unpublish(
    req: HttpRequest,
    caller: Member,
    app: Data<App>,
    once: Once,
    id: Path<i64>,
) -> Result<HttpResponse, Error> {
    set_published(&req, &caller, &app, once, id.into_inner(), false).await
}

async fn set_published(
    req: &HttpRequest,
    caller: &Member,
    app: &App,
    once: Once,
    id: i64,
    published: bool,
) -> Result<HttpResponse, Error> {
    let expected = etag::expected(req, app)?;
    let message = if published { "Post published successfully" } else { "Post unpublished successfully" };
    let show = move |post: &Post| Answer::versioned(message, &Rendered::from(post.clone()), post.version);
    once.write(app, caller, move |tx| service::publish(tx, id, published, &expected), show).await
}

async fn shown(message: &str, post: Post) -> Result<HttpResponse, Error> {
    let version = post.version;
    Ok(json::versioned(message, &rendered(post).await?, version))
}

/// Draws the HTML of a post; on a thread of its own, since a long one takes some milliseconds.
async fn rendered(post: Post) -> Result<Rendered, Error> {
    let drawn = web::block(move || Rendered::from(post)).await;
    drawn.map_err(|_| Error::Unavailable {
        detail: "The server is busy.",
        retry_after: 1,
        reason: "no thread could draw a post".to_owned(),
    })
}
