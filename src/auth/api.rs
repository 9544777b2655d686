//! The JSON door of signing in; that of passwords is in `api/passwords.rs`, that of API keys in
//! `api/api_keys.rs`.

pub mod api_keys;
pub mod passwords;

use actix_web::http::header;
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::model::SignIn;
use super::refresh;
use super::second_factor::{self, Proof};
use super::service;
use super::token::{Kind, Mark, Tokens};
use crate::app::App;
use crate::error::Error;
use crate::fields::{FieldErrors, Input, Raw, Source};
use crate::limits::Quota;
use crate::users;
use crate::users::hashing::Hashing;
use crate::users::model::{User, UserInput};
use crate::web::caller::Anyone;
use crate::web::idempotency::Once;
use crate::web::json::{self, Answer};
use crate::web::list::Params;
use crate::web::rate_limit;

/// The answer of OAuth 2.0 (RFC 6749, 5.1).
#[derive(Serialize)]
struct Token {
    access_token: String,
    token_type: &'static str,
    expires_in: i64,
    refresh_token: String,
}

/// `POST /api/v1/auth/register`: makes oneself a user, with the role `user`.
///
/// # Errors
/// 400, 403 for what one may not set, 409, 415, 422, 429, 503.
pub async fn register(
    req: HttpRequest,
    caller: Anyone,
    app: Data<App>,
    hashing: Data<Hashing>,
    once: Once,
    body: json::Object,
) -> Result<HttpResponse, Error> {
    rate_limit::limit(&req, &app, Quota::Register).await?;
    let new = service::prepare(&hashing, &caller, UserInput::read(&body.0)).await?;
    let show = |user: &User| {
        Answer::created("User registered successfully", user, format!("/api/v1/users/{}", user.id), user.version)
    };
    once.write(&app, &caller, move |tx| users::service::register(tx, &new), show).await
}

/// `POST /api/v1/auth/login`, also `/auth/token`: a form as in OAuth 2.0 (`username`, `password`) or JSON
/// (`email` or `username`, `password`); with two-factor sign-in also `otp`, a code of the app or a recovery code.
///
/// # Errors
/// 400, 401, 415, 422, 429, 503.
pub async fn login(
    req: HttpRequest,
    caller: Anyone,
    app: Data<App>,
    hashing: Data<Hashing>,
    tokens: Data<Tokens>,
    payload: Payload,
) -> Result<HttpResponse, Error> {
    let input = read(&req, payload).await?;
    let proof = Proof::sent(&input)?;
    let signed_in = service::sign_in(&app, &hashing, &caller, SignIn::read(&input)?).await?;
    let user = signed_in.user.clone();
    let inside = app.clone();
    let sends_code = proof.is_some();
    let begin = app.write(&caller, move |tx| {
        service::note(tx, &signed_in)?;
        second_factor::demand(tx, &inside, signed_in.user.id, proof.as_ref())?;
        refresh::begin(tx, &inside, &signed_in.user)
    });
    let refresh_token =
        if sends_code { second_factor::attempt(&app, &caller, user.id, begin).await? } else { begin.await? };
    token(&tokens, &user, refresh_token)
}

/// `POST /api/v1/auth/refresh`: `refresh_token`, as a form or JSON; good for one use.
///
/// # Errors
/// 400, 401, 415, 422.
pub async fn refresh(
    req: HttpRequest,
    caller: Anyone,
    app: Data<App>,
    tokens: Data<Tokens>,
    payload: Payload,
) -> Result<HttpResponse, Error> {
    let [sent] = needed(&read(&req, payload).await?, ["refresh_token"])?;
    let (user, next) = refresh::rotate(&app, &caller, sent).await?;
    token(&tokens, &user, next)
}

/// `POST /api/v1/auth/logout`: ends the family of `refresh_token`.
///
/// # Errors
/// 400, 415, 422.
pub async fn logout(req: HttpRequest, caller: Anyone, app: Data<App>, payload: Payload) -> Result<HttpResponse, Error> {
    let [sent] = needed(&read(&req, payload).await?, ["refresh_token"])?;
    refresh::end(&app, &caller, sent).await?;
    Ok(HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, "no-store")).finish())
}

/// Texts that must be there, exactly as they were sent.
fn needed<const N: usize>(input: &Input, names: [&str; N]) -> Result<[String; N], Error> {
    let mut errors = FieldErrors::default();
    let texts = names.map(|name| {
        let text = input.verbatim(name, &mut errors).value().filter(|text| !text.is_empty());
        if text.is_none() {
            errors.add(name, "required", "is required");
        }
        text.unwrap_or_default()
    });
    errors.into_result(|| Some(texts))
}

impl Token {
    fn of(tokens: &Tokens, user: &User, refresh_token: String) -> Result<Self, Error> {
        let expires_in = tokens.seconds();
        let access_token = tokens.issue(Kind::Access, user.id, Mark::Version(user.credentials_version), expires_in)?;
        Ok(Self { access_token, token_type: "bearer", expires_in, refresh_token })
    }
}

fn token(tokens: &Tokens, user: &User, refresh_token: String) -> Result<HttpResponse, Error> {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::CACHE_CONTROL, "no-store"));
    Ok(json::answer(response, &Token::of(tokens, user, refresh_token)?))
}

async fn read(req: &HttpRequest, payload: Payload) -> Result<Input, Error> {
    let essence = json::content_type(req);
    let body = json::read_body(req, payload.into_inner(), json::LARGEST_BODY);
    match essence.as_str() {
        "application/json" => json::parse_object(&body.await?),
        "application/x-www-form-urlencoded" => {
            let unreadable = |_| Error::Malformed("The form cannot be read.".to_owned());
            let text = String::from_utf8(body.await?).map_err(unreadable)?;
            // As strict as a query string: nothing twice, no broken escape.
            let pairs = Params::parse(&text)?.into_pairs();
            Ok(Input::new(Source::Text, pairs.into_iter().map(|(name, value)| (name, Raw::Text(value))).collect()))
        }
        _ => Err(Error::UnsupportedMedia(
            "Send the body as application/json or application/x-www-form-urlencoded.".to_owned(),
        )),
    }
}
