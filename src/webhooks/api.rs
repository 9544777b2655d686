//! The JSON door of webhooks, in the order of the routes. Only admins come in.

use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::list::{self, DeliveryQuery};
use super::model::{Delivery, Shown, WebhookInput, WithSecret};
use super::service;
use super::signature::Keys;
use crate::app::{App, KeyUse};
use crate::changes::Tx;
use crate::error::Error;
use crate::web::caller::Admin;
use crate::web::etag;
use crate::web::idempotency::Once;
use crate::web::json::{self, Answer, Object};
use crate::web::list::Params;

/// `GET /api/v1/webhooks`.
///
/// # Errors
/// 400, 401, 403, 422.
pub async fn list(req: HttpRequest, _: Admin, app: Data<App>) -> Result<HttpResponse, Error> {
    let params = Params::parse(req.query_string())?;
    let query = list::Query::parse(&params, req.path(), app.key(KeyUse::Cursors))?;
    let listing = app.read(move |conn| list::find(conn, &query)).await?;
    json::many_versioned("Webhooks retrieved successfully", &listing)
}

/// `POST /api/v1/webhooks`: the answer, and no other, has the signing secret.
///
/// # Errors
/// 400, 401, 403, 409, 415, 422.
pub async fn create(caller: Admin, app: Data<App>, once: Once, body: Object) -> Result<HttpResponse, Error> {
    let input = WebhookInput::read(&body.0, app.config.webhook_allow_private);
    let keys = Keys::of(&app);
    let show = |made: &WithSecret| {
        let location = format!("/api/v1/webhooks/{}", made.webhook.id);
        Answer::created("Webhook created successfully", made, location, made.webhook.version)
    };
    once.write(&app, &caller, move |tx| service::create(tx, input, &keys), show).await
}

/// `GET /api/v1/webhooks/{id}`.
///
/// # Errors
/// 401, 403, 404.
pub async fn get(caller: Admin, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let webhook = app.look_up(move |conn| service::get(conn, &caller, id)).await?;
    Ok(json::versioned("Webhook retrieved successfully", &webhook, webhook.version))
}

/// `PATCH /api/v1/webhooks/{id}`: what is absent stays, `null` clears.
///
/// # Errors
/// 400, 401, 403, 404, 412, 415, 422, 428.
pub async fn patch(
    req: HttpRequest,
    caller: Admin,
    app: Data<App>,
    id: Path<i64>,
    body: Object,
) -> Result<HttpResponse, Error> {
    let expected = etag::expected(&req, &app)?;
    let input = WebhookInput::read(&body.0, app.config.webhook_allow_private);
    let id = id.into_inner();
    let webhook = app.write(&caller, move |tx| service::update(tx, id, input, &expected)).await?;
    Ok(json::versioned("Webhook updated successfully", &webhook, webhook.version))
}

/// `DELETE /api/v1/webhooks/{id}`, with its deliveries.
///
/// # Errors
/// 401, 403, 404, 412, 428.
pub async fn delete(req: HttpRequest, caller: Admin, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let expected = etag::expected(&req, &app)?;
    let id = id.into_inner();
    app.write(&caller, move |tx| service::delete(tx, id, &expected)).await?;
    Ok(HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, "no-store")).finish())
}

/// `POST /api/v1/webhooks/{id}/secret`: a new signing secret, shown once; the one before signs too for a day.
///
/// # Errors
/// 401, 403, 404, 412, 428.
pub async fn rotate_secret(
    req: HttpRequest,
    caller: Admin,
    app: Data<App>,
    once: Once,
    id: Path<i64>,
) -> Result<HttpResponse, Error> {
    let expected = etag::expected(&req, &app)?;
    let keys = Keys::of(&app);
    let id = id.into_inner();
    let show = |made: &WithSecret| Answer::versioned("Secret rotated successfully", made, made.webhook.version);
    once.write(&app, &caller, move |tx| service::rotate_secret(tx, id, &expected, &keys), show).await
}

/// `POST /api/v1/webhooks/{id}/test`: sends a `webhook.test` event.
///
/// # Errors
/// 401, 403, 404, 409.
pub async fn test(caller: Admin, app: Data<App>, once: Once, id: Path<i64>) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    once.write(&app, &caller, move |tx| service::test(tx, id), |made| queued("Test event queued", made)).await
}

/// `GET /api/v1/webhooks/{id}/deliveries`: what was sent in the last 30 days, and how it was answered.
///
/// # Errors
/// 400, 401, 403, 404, 422.
pub async fn deliveries(req: HttpRequest, caller: Admin, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let params = Params::parse(req.query_string())?;
    let query = DeliveryQuery::parse(&params, req.path(), app.key(KeyUse::Cursors), id)?;
    let listing = app
        .read(move |conn| {
            service::get(conn, &caller, id)?;
            list::find_deliveries(conn, &query)
        })
        .await?;
    json::many("Deliveries retrieved successfully", &listing)
}

/// `POST /api/v1/webhooks/{id}/deliveries/{delivery_id}/replay`: sends an event once more, under the same id.
///
/// # Errors
/// 401, 403, 404, 409.
pub async fn replay(caller: Admin, app: Data<App>, once: Once, ids: Path<(i64, i64)>) -> Result<HttpResponse, Error> {
    let (id, delivery_id) = ids.into_inner();
    let work = move |tx: &mut Tx<'_>| service::replay(tx, id, delivery_id);
    once.write(&app, &caller, work, |made| queued("Delivery queued again", made)).await
}

fn queued(message: &str, delivery: &Delivery) -> Result<Answer, Error> {
    Answer::one(StatusCode::ACCEPTED, message, &Shown::from(delivery.clone()))
}
