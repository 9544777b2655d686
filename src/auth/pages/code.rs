//! The second page of signing in: the code, for who has two-factor sign-in. Between the pages the session knows
//! who typed a right password; it opens nothing else, and not for long.

use actix_session::Session;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};

use super::views::CodePage;
use super::{START, home_of};
use crate::app::App;
use crate::auth::second_factor::{self, Proof};
use crate::auth::service::{self, SignedIn};
use crate::auth::sessions::begin;
use crate::caller::{Caller, Role};
use crate::error::Error;
use crate::time::Timestamp;
use crate::users;
use crate::users::model::User;
use crate::web::caller::Anyone;
use crate::web::form::Form;
use crate::web::page::{self, Frame};

/// Where the code is asked for.
const PATH: &str = "/admin/login/code";
/// Where the session keeps who typed a right password.
const PENDING: &str = "pending";
/// So long there is to type the code, in seconds.
const PATIENCE: i64 = 5 * 60;
/// So many codes may be tried before the password is asked for again.
const TRIES: u8 = 5;
/// What who comes too late is told.
const LATE: &str = "That took too long. Sign in again.";

/// Who typed a right password and not yet a code.
#[derive(Serialize, Deserialize)]
struct Pending {
    user: i64,
    /// Their `credentials_version` then.
    credentials: i64,
    /// When, in microseconds since 1970.
    since: i64,
    tries: u8,
    next: String,
}

/// What a right password leads to, typed or just chosen by a link from a mail: into the site, or, with
/// two-factor sign-in, to the page that asks for the code. Answers where to go. `next` is a path of ours, or
/// empty.
///
/// # Errors
/// Only the database's.
pub async fn after_password(
    req: &HttpRequest,
    app: &App,
    caller: &Caller,
    session: &Session,
    signed_in: SignedIn,
    next: String,
) -> Result<String, Error> {
    let id = signed_in.user.id;
    if !app.look_up(move |conn| second_factor::is_on(conn, id)).await? {
        let user = signed_in.user.clone();
        app.write(caller, move |tx| service::note(tx, &signed_in)).await?;
        begin(req, session, &user)?;
        return Ok(landing(&user, next));
    }
    let (credentials, now) = (signed_in.user.credentials_version, Timestamp::now());
    app.write(caller, move |tx| service::renew_hash(tx, &signed_in)).await?;
    session.clear();
    session.renew();
    keep(session, &Pending { user: id, credentials, since: now.0, tries: 0, next })?;
    Ok(PATH.to_owned())
}

fn landing(user: &User, next: String) -> String {
    if next.is_empty() { home_of(user.role() == Role::Admin).to_owned() } else { next }
}

fn keep(session: &Session, pending: &Pending) -> Result<(), Error> {
    session.insert(PENDING, pending).map_err(|e| Error::Internal(format!("a session cannot be kept: {e}")))
}

/// `GET /admin/login/code`; who has not typed a password is shown where to.
///
/// # Errors
/// Only when the page cannot be drawn.
pub async fn form(req: HttpRequest, caller: Anyone, app: Data<App>, session: Session) -> Result<HttpResponse, Error> {
    if caller.principal().is_some() {
        return Ok(page::see_other(START));
    }
    match pending(&session) {
        Some(_) => draw(&req, &app, StatusCode::OK, false, None),
        None => Ok(start_over(&req, &session, LATE)),
    }
}

/// `POST /admin/login/code`: `code`, or `recovery_code`.
///
/// # Errors
/// 403 for a form that is not ours, 503.
pub async fn submit(
    req: HttpRequest,
    caller: Anyone,
    app: Data<App>,
    session: Session,
    form: Form,
) -> Result<HttpResponse, Error> {
    let Some(mut pending) = pending(&session) else {
        return Ok(start_over(&req, &session, LATE));
    };
    let recovering = !form.verbatim("recovery_code").is_empty();
    let typed = form.verbatim(if recovering { "recovery_code" } else { "code" });
    let Some(proof) = Proof::read(typed) else {
        let words = "Enter the code that the app shows.".to_owned();
        return draw(&req, &app, StatusCode::UNPROCESSABLE_ENTITY, recovering, Some(words));
    };
    let (inside, id, credentials) = (app.clone(), pending.user, pending.credentials);
    let enter = app.write(&caller, move |tx| {
        let user = users::store::find_to_change(tx.conn, id)?
            .filter(|user| user.is_active && user.credentials_version == credentials);
        let Some(user) = user else { return Ok(None) };
        second_factor::demand(tx, &inside, id, Some(&proof))?;
        let signed_in = SignedIn { user, renewed_hash: None };
        service::note(tx, &signed_in)?;
        Ok(Some(signed_in.user))
    });
    match second_factor::attempt(&app, &caller, id, enter).await {
        Ok(Some(user)) => {
            begin(&req, &session, &user)?;
            Ok(page::see_other(&landing(&user, pending.next)))
        }
        // Changed meanwhile: role, password, or they may not come in any more.
        Ok(None) => Ok(start_over(&req, &session, "Your account has changed. Sign in again.")),
        Err(Error::SecondFactorInvalid) => {
            pending.tries += 1;
            if pending.tries >= TRIES {
                return Ok(start_over(&req, &session, "Too many wrong codes. Sign in again."));
            }
            keep(&session, &pending)?;
            let words = if recovering {
                "This recovery code is wrong or was used already."
            } else {
                "The code is wrong or was used already. Wait for the app's next one."
            };
            draw(&req, &app, StatusCode::UNAUTHORIZED, recovering, Some(words.to_owned()))
        }
        Err(Error::TooManyRequests { detail, retry_after }) => {
            let page = draw(&req, &app, StatusCode::TOO_MANY_REQUESTS, recovering, Some(detail))?;
            Ok(page::later(page, retry_after))
        }
        Err(error) => Err(error),
    }
}

/// Who typed a right password, if that was not too long ago.
fn pending(session: &Session) -> Option<Pending> {
    let pending: Pending = session.get(PENDING).ok().flatten()?;
    let ends = Timestamp(pending.since).plus_seconds(PATIENCE);
    (Timestamp::now() < ends).then_some(pending)
}

/// Back to the password, with a word about why; who has not been there yet needs none.
fn start_over(req: &HttpRequest, session: &Session, why: &str) -> HttpResponse {
    let Some(pending) = session.get::<Pending>(PENDING).ok().flatten() else {
        return page::see_other("/admin/login");
    };
    session.remove(PENDING);
    page::flash_error(req, why);
    if pending.next.is_empty() {
        return page::see_other("/admin/login");
    }
    let query = serde_urlencoded::to_string([("next", pending.next)]).unwrap_or_default();
    page::see_other(&format!("/admin/login?{query}"))
}

fn draw(
    req: &HttpRequest,
    app: &App,
    status: StatusCode,
    recovering: bool,
    error: Option<String>,
) -> Result<HttpResponse, Error> {
    page::show_as(status, &CodePage { frame: Frame::of(req, app, "login"), recovering, error })
}
