//! The JSON door of passwords: forgotten, reset, changed.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::needed;
use crate::app::App;
use crate::auth::token::{Kind, Tokens};
use crate::auth::{links, refresh, service};
use crate::error::Error;
use crate::users::hashing::Hashing;
use crate::web::caller::{Anyone, Person};
use crate::web::json::{self, Object};
use crate::web::rate_limit;

/// `POST /api/v1/auth/password/forgot`: `email`; a link goes to it if it is an account's. The answer never says
/// whether it is.
///
/// # Errors
/// 400, 415, 422 without an address, 429.
pub async fn forgot(req: HttpRequest, caller: Anyone, app: Data<App>, body: Object) -> Result<HttpResponse, Error> {
    let [email] = needed(&body.0, ["email"])?;
    rate_limit::forgot(&req, &app, &email).await?;
    service::forgot(&app, &caller, &email).await?;
    let said = "If this is the address of an account, a link to set another password is on its way to it";
    Ok(json::done(StatusCode::ACCEPTED, said))
}

/// `POST /api/v1/auth/password/reset`: `token` from the link in the mail, and `new_password`.
///
/// # Errors
/// 400, 401 for a link that is not good (any more), 415, 422, 503.
pub async fn reset(
    caller: Anyone,
    app: Data<App>,
    hashing: Data<Hashing>,
    tokens: Data<Tokens>,
    body: Object,
) -> Result<HttpResponse, Error> {
    let [token, new] = needed(&body.0, ["token", "new_password"])?;
    links::set_password(&app, &hashing, &tokens, &caller, (Kind::Reset, &token), &new).await?;
    Ok(json::done(StatusCode::OK, "The password is set; sign in with it"))
}

/// `POST /api/v1/auth/password/change`: `current_password` and `new_password`. Every session, token and refresh
/// family of the user ends, the one that is used here too; the answer's `data` has new ones to go on with.
///
/// # Errors
/// 400, 401, 415, 422 at either field, 429 after too many wrong ones, 503.
pub async fn change(
    caller: Person,
    app: Data<App>,
    hashing: Data<Hashing>,
    tokens: Data<Tokens>,
    body: Object,
) -> Result<HttpResponse, Error> {
    let [current, new] = needed(&body.0, ["current_password", "new_password"])?;
    let user = service::change_password(&app, &hashing, &caller, current, new).await?;
    let (inside, of) = (app.clone(), user.clone());
    let renewed = caller.with_credentials(user.credentials_version);
    let refresh_token = app.write(&renewed, move |tx| refresh::begin(tx, &inside, &of)).await?;
    Ok(json::one("The password is changed", &super::Token::of(&tokens, &user, refresh_token)?))
}
