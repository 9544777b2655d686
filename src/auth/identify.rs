//! The middleware that turns a credential into a [`Caller`]: bearer tokens and API keys for the API, sessions
//! for the pages. A cookie never opens the API, a token or a key never the pages.

mod key;

use std::cell::RefCell;
use std::collections::HashMap;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_session::{Session, SessionExt as _};
use actix_web::body::MessageBody;
use actix_web::cookie::{Cookie, SameSite};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpRequest, ResponseError as _};

use super::sessions::{self, random_token};
use super::token::{Kind, Mark, Tokens};
use crate::app::{App, KeyUse, hmac_sha256};
use crate::caller::{Caller, Door, Principal, Role, Who};
use crate::error::Error;
use crate::users;
use crate::users::store::Credentials;
use crate::web::caller::API_KEY;
use crate::web::client_address::client_address;
use crate::web::form::CsrfToken;
use crate::web::rate_limit;
use crate::web::request_id::RequestId;

/// For so long a caller is believed without asking the database: a changed password, role or `is_active`
/// takes effect within a second.
const BELIEVED: Duration = Duration::from_millis(500);
/// So many callers a thread remembers.
const REMEMBERED: usize = 4_096;
/// The cookie that forms hang on before there is a session.
const FORM_COOKIE: &str = "stockroom_form";
/// Its name under https, where the browser holds it to this host.
const FORM_COOKIE_HTTPS: &str = "__Host-stockroom_form";

struct Remembered {
    principal: Principal,
    checked: Instant,
    /// Seconds since 1970.
    expires: i64,
}

thread_local! {
    /// By the whole token: only who has it can hit.
    static CALLERS: RefCell<HashMap<String, Remembered>> = RefCell::new(HashMap::new());
}

/// Around the API: `Authorization: Bearer …` or `X-API-Key`, never both. A credential that is sent and bad is refused also where none
/// is needed.
///
/// # Errors
/// 401, also without a credential when nothing is public; 403 for what an API key's scopes do not hold; 429.
pub async fn by_token(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let (who, refused) = match credential(req.request()).await {
        Ok(who) => (who, None),
        Err(error @ (Error::Unauthenticated(_) | Error::Forbidden(_))) => (Who::Anonymous, Some(error)),
        Err(error) => return Ok(req.into_response(error.error_response()).map_into_right_body()),
    };
    put(&req, who, Door::Api);
    rate_limit::serve(req, refused, next).await.map(ServiceResponse::map_into_left_body)
}

/// Who a request is of, asked anew: for those who stay connected.
///
/// # Errors
/// As [`by_token`] when the credential is good no longer.
pub async fn again(req: &HttpRequest) -> Result<Who, Error> {
    let sent = |name: &str| req.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    key::forget(sent(API_KEY.as_str()).trim());
    if let Some((_, token)) = sent("authorization").split_once(' ') {
        CALLERS.with_borrow_mut(|callers| callers.remove(token.trim()));
    }
    credential(req).await
}

async fn credential(req: &HttpRequest) -> Result<Who, Error> {
    let app = req.app_data::<Data<App>>().ok_or_else(|| Error::Internal("there is no app".to_owned()))?;
    let mut keys = req.headers().get_all(API_KEY);
    if let Some(value) = keys.next() {
        let only = keys.next().is_none() && !req.headers().contains_key(header::AUTHORIZATION);
        let text = value.to_str().ok().filter(|_| only).ok_or_else(bad)?;
        return key::principal(app, req, text.trim()).await.map(Who::User);
    }
    let mut sent = req.headers().get_all(header::AUTHORIZATION);
    let Some(value) = sent.next() else {
        // Signing in must be possible for who is not signed in.
        // So must asking what is possible.
        let asks = req.method() == actix_web::http::Method::OPTIONS;
        return if app.config.public_read || asks || req.path().starts_with("/api/v1/auth/") {
            Ok(Who::Anonymous)
        } else {
            Err(Error::Unauthenticated("Sign in to read this.".to_owned()))
        };
    };
    if sent.next().is_some() {
        return Err(bad());
    }
    let token = value.to_str().ok().and_then(|text| {
        let (scheme, token) = text.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    let token = token.ok_or_else(bad)?;
    if let Some(principal) = remembered(token) {
        return Ok(Who::User(principal));
    }
    let tokens = req.app_data::<Data<Tokens>>().ok_or_else(|| Error::Internal("there are no tokens".to_owned()))?;
    let read = tokens.read(Kind::Access, token).ok_or_else(bad)?;
    let Mark::Version(version) = read.mark else { return Err(bad()) };
    let id = read.user;
    let found = app.look_up(move |conn| Ok(users::store::credentials(conn, id)?)).await?;
    let principal = found.and_then(|user| admitted(&user, version)).ok_or_else(bad)?;
    remember(token, &principal, read.expires);
    Ok(Who::User(principal))
}

fn bad() -> Error {
    Error::Unauthenticated("The credentials are not valid or have expired.".to_owned())
}

/// The user, if they may come in and nothing has changed since the credential was made.
fn admitted(user: &Credentials, version: i64) -> Option<Principal> {
    (user.is_active && user.credentials_version == version).then(|| Principal {
        id: user.id,
        username: Arc::from(user.username.as_str()),
        role: Role::from_str(&user.role).unwrap_or(Role::Guest),
        api_key_id: None,
        credentials_version: version,
        may_write: true,
    })
}

fn remembered(token: &str) -> Option<Principal> {
    let now = Instant::now();
    CALLERS.with_borrow(|callers| {
        let known = callers.get(token)?;
        let fresh = now.duration_since(known.checked) < BELIEVED;
        let in_time = crate::time::Timestamp::now().0 / 1_000_000 < known.expires;
        (fresh && in_time).then(|| known.principal.clone())
    })
}

fn remember(token: &str, principal: &Principal, expires: i64) {
    CALLERS.with_borrow_mut(|callers| {
        if callers.len() >= REMEMBERED {
            callers.clear();
        }
        let known = Remembered { principal: principal.clone(), checked: Instant::now(), expires };
        callers.insert(token.to_owned(), known);
    });
}

/// Around the pages: the session's user. Who is not signed in is anonymous here; the routes behind
/// [`signed_in`] send them to the sign-in page.
///
/// # Errors
/// 429; 503 when the database cannot be asked.
pub async fn by_session(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let session = req.get_session();
    let who = match session_user(&req, &session).await {
        Ok(who) => who,
        Err(error) => return Ok(req.into_response(error.error_response()).map_into_right_body()),
    };
    let fresh_cookie = put_csrf_token(&req, &session, &who);
    put(&req, who, Door::Admin);
    let mut response = rate_limit::serve(req, None, next).await?;
    if let Some(cookie) = fresh_cookie {
        response.response_mut().add_cookie(&cookie).map_err(|e| Error::Internal(e.to_string()))?;
    }
    Ok(response.map_into_left_body())
}

async fn session_user(req: &ServiceRequest, session: &Session) -> Result<Who, Error> {
    let app = req.app_data::<Data<App>>().ok_or_else(|| Error::Internal("there is no app".to_owned()))?;
    let number = |name: &str| session.get::<i64>(name).ok().flatten();
    let (Some(id), Some(version)) = (number(sessions::USER), number(sessions::CREDENTIALS)) else {
        return Ok(Who::Anonymous);
    };
    let found = app.look_up(move |conn| Ok(users::store::credentials(conn, id)?)).await?;
    match found.and_then(|user| admitted(&user, version)) {
        Some(principal) => Ok(Who::User(principal)),
        None => {
            session.purge();
            Ok(Who::Anonymous)
        }
    }
}

/// Puts the token that this visitor's forms carry into the request; the cookie that it hangs on, if it is new.
fn put_csrf_token(req: &ServiceRequest, session: &Session, who: &Who) -> Option<Cookie<'static>> {
    if matches!(who, Who::User(_))
        && let Ok(Some(token)) = session.get::<String>(sessions::CSRF)
    {
        req.extensions_mut().insert(CsrfToken(token));
        return None;
    }
    let app = req.app_data::<Data<App>>()?;
    let token = |nonce: &str| CsrfToken(hex::encode(hmac_sha256(&app.key(KeyUse::Forms), nonce.as_bytes())));
    let https = app.config.is_https();
    let name = if https { FORM_COOKIE_HTTPS } else { FORM_COOKIE };
    match req.cookie(name) {
        Some(cookie) if cookie.value().len() == 43 => {
            req.extensions_mut().insert(token(cookie.value()));
            None
        }
        _ => {
            let nonce = random_token();
            req.extensions_mut().insert(token(&nonce));
            Some(Cookie::build(name, nonce).path("/").http_only(true).secure(https).same_site(SameSite::Lax).finish())
        }
    }
}

fn put(req: &ServiceRequest, who: Who, door: Door) {
    let request_id = req.extensions().get::<RequestId>().map_or_else(|| Arc::from(""), |id| Arc::clone(&id.0));
    let app = req.app_data::<Data<App>>();
    let trusted = app.map_or(&[] as &[_], |app| &app.config.trusted_proxies);
    let address = client_address(req.peer_addr(), req.headers(), trusted);
    req.extensions_mut().insert(Caller { who, door, request_id, address });
}

/// Around the pages that need an account: others are shown the way in.
///
/// # Errors
/// Never on its own.
pub async fn signed_in(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let known = req.extensions().get::<Caller>().is_some_and(|caller| caller.principal().is_some());
    if known {
        return next.call(req).await.map(ServiceResponse::map_into_left_body);
    }
    let target = req.uri().path_and_query().map_or("/admin", |t| t.as_str()).to_owned();
    let query = serde_urlencoded::to_string([("next", target)]).unwrap_or_default();
    let response = crate::web::page::see_other(&format!("/admin/login?{query}"));
    Ok(req.into_response(response).map_into_right_body())
}
