//! The JSON door of API keys. A key does not open it: only who has signed in makes keys and ends them.

use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use crate::app::{App, KeyUse};
use crate::auth::api_keys::{self, list};
use crate::auth::model::api_key::{KeyInput, NewKey};
use crate::auth::store::api_keys::Order;
use crate::error::Error;
use crate::web::caller::Person;
use crate::web::etag;
use crate::web::idempotency::Once;
use crate::web::json::{self, Answer, Object};
use crate::web::list::Params;

/// `GET /api/v1/api-keys`: one's own, for admins everybody's; `user_id`, `sort`.
///
/// # Errors
/// 400, 401, 403 for an API key, 422.
pub async fn list(req: HttpRequest, caller: Person, app: Data<App>) -> Result<HttpResponse, Error> {
    let params = Params::parse(req.query_string())?;
    let query = list::Query::parse(&params, req.path(), &caller, app.key(KeyUse::Cursors), ("id", Order::Id))?;
    let fields = query.fields.clone();
    let listing = app.read(move |conn| list::find(conn, &query)).await?;
    json::many("API keys retrieved successfully", &listing.map(|row| fields.cut(row)))
}

/// `POST /api/v1/api-keys`: `name`, `scopes`, `expires_at`; the answer alone holds `key`.
///
/// # Errors
/// 400, 401, 403 for a scope beyond the caller's role, 409 for who has too many, 415, 422.
pub async fn create(caller: Person, app: Data<App>, once: Once, body: Object) -> Result<HttpResponse, Error> {
    let input = KeyInput::read(&body.0);
    let show = |made: &NewKey| {
        let location = format!("/api/v1/api-keys/{}", made.key.id);
        Answer::created("API key created successfully", made, location, made.key.version)
    };
    once.write(&app, &caller, move |tx| api_keys::create(tx, input), show).await
}

/// `GET /api/v1/api-keys/{id}`: without its `key`.
///
/// # Errors
/// 401, 403 for an API key, 404.
pub async fn get(caller: Person, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let key = app.look_up(move |conn| api_keys::get(conn, &caller, id)).await?;
    Ok(json::versioned("API key retrieved successfully", &key, key.version))
}

/// `DELETE /api/v1/api-keys/{id}`: ends it; it stays in the list.
///
/// # Errors
/// 401, 403 for an API key, 404, 412, 428.
pub async fn delete(req: HttpRequest, caller: Person, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let expected = etag::expected(&req, &app)?;
    let id = id.into_inner();
    app.write(&caller, move |tx| api_keys::revoke(tx, id, &expected)).await?;
    Ok(HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, "no-store")).finish())
}
