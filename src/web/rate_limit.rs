//! Limits of requests, as HTTP says them: 429 with `Retry-After`, and on every limited answer `RateLimit` and
//! `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers, structured fields).

use std::fmt::Write as _;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpRequest, ResponseError as _};

use crate::app::App;
use crate::caller::Caller;
use crate::error::Error;
use crate::limits::{Key, Quota, Standing};

/// `RateLimit`
pub const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
/// `RateLimit-Policy`
pub const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What was counted beside the request itself, in the request's extensions.
struct Counted(Vec<Standing>);

/// Counts a request by its caller and serves it, if it may go on. A request that is refused already, for its
/// credentials, counts too.
///
/// # Errors
/// Only those of what serves it.
pub async fn serve<B: MessageBody + 'static>(
    req: ServiceRequest,
    refused: Option<Error>,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, actix_web::Error> {
    let standing = by_caller(&req).await;
    let refused = standing.filter(|standing| !standing.admitted).map(|s| too_many(&s)).or(refused);
    let mut response = match refused {
        Some(error) => req.into_response(error.error_response()).map_into_right_body(),
        None => next.call(req).await?.map_into_left_body(),
    };
    if let Some(standing) = standing {
        let more = response.request().extensions_mut().remove::<Counted>();
        put_headers(response.headers_mut(), &standing, more.map(|counted| counted.0).unwrap_or_default());
    }
    Ok(response)
}

async fn by_caller(req: &ServiceRequest) -> Option<Standing> {
    let app = req.app_data::<Data<App>>()?;
    let key = req.extensions().get::<Caller>().map(Key::of_caller)?;
    let quota = if matches!(key, Key::User(_)) { Quota::SignedIn } else { Quota::Anonymous };
    app.limits.count(quota, key).await
}

/// Counts against a quota of its own, beside that of all requests: by address or by caller, as the quota has
/// it. To be called first in a handler, before anything that costs.
///
/// # Errors
/// 429
pub async fn limit(req: &HttpRequest, app: &App, quota: Quota) -> Result<(), Error> {
    let key = req
        .extensions()
        .get::<Caller>()
        .map(|caller| if quota.is_by_address() { Key::of_address(caller.address) } else { Key::of_caller(caller) });
    limit_key(req, app, quota, key.unwrap_or(Key::Unknown)).await
}

/// Counts somebody who has forgotten a password: by where they are, and by where the mail would go, whether
/// there is such an account or not.
///
/// # Errors
/// 429
pub async fn forgot(req: &HttpRequest, app: &App, email: &str) -> Result<(), Error> {
    limit(req, app, Quota::ForgotByAddress).await?;
    limit_key(req, app, Quota::ForgotByEmail, app.limits.text(&email.trim().to_lowercase())).await
}

async fn limit_key(req: &HttpRequest, app: &App, quota: Quota, key: Key) -> Result<(), Error> {
    let Some(standing) = app.limits.count(quota, key).await else { return Ok(()) };
    let mut extensions = req.extensions_mut();
    match extensions.get_mut::<Counted>() {
        Some(counted) => counted.0.push(standing),
        None => drop(extensions.insert(Counted(vec![standing]))),
    }
    if standing.admitted { Ok(()) } else { Err(too_many(&standing)) }
}

fn too_many(standing: &Standing) -> Error {
    let (count, retry_after) = (standing.rate.count, standing.reset);
    let window = match standing.rate.window {
        60 => "a minute".to_owned(),
        window => format!("in {} minutes", window / 60),
    };
    let unit = if retry_after == 1 { "second" } else { "seconds" };
    Error::TooManyRequests {
        detail: format!("Too many requests: there may be {count} {window}. Try again in {retry_after} {unit}."),
        retry_after,
    }
}

fn put_headers(headers: &mut HeaderMap, first: &Standing, more: Vec<Standing>) {
    let (mut limit, mut policy) = (String::with_capacity(32), String::with_capacity(32));
    for (i, standing) in std::iter::once(first).chain(&more).enumerate() {
        let comma = if i == 0 { "" } else { ", " };
        let (name, rate) = (standing.quota.name(), standing.rate);
        // Writing to a string cannot fail.
        write!(limit, "{comma}\"{name}\";r={};t={}", standing.remaining, standing.reset).ok();
        write!(policy, "{comma}\"{name}\";q={};w={}", rate.count, rate.window).ok();
    }
    for (header, text) in [(LIMIT, limit), (POLICY, policy)] {
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.insert(header, value);
        }
    }
}
