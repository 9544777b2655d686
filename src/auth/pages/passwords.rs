//! The pages of passwords for who cannot sign in: forgotten, and the links that the mails carry.

use actix_session::Session;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::code::after_password;
use super::views::{ChoosePage, ForgottenPage, OverPage};
use crate::app::App;
use crate::auth::service::SignedIn;
use crate::auth::token::{Kind, Tokens};
use crate::auth::{links, service};
use crate::error::Error;
use crate::users::hashing::Hashing;
use crate::users::model::User;
use crate::web::caller::Anyone;
use crate::web::form::Form;
use crate::web::list::Params;
use crate::web::page::{self, Frame};
use crate::web::rate_limit;
use crate::web::view::Errors;

/// `GET /admin/forgotten`.
///
/// # Errors
/// Only when the page cannot be drawn.
pub async fn forgotten_form(req: HttpRequest, app: Data<App>) -> Result<HttpResponse, Error> {
    draw_forgotten(&req, &app, StatusCode::OK, String::new(), false, Errors::default())
}

/// `POST /admin/forgotten`: the same answer whether there is such an account or not.
///
/// # Errors
/// 403 for a form that is not ours; a missing address and a limit come back with the form.
pub async fn forgotten(req: HttpRequest, caller: Anyone, app: Data<App>, form: Form) -> Result<HttpResponse, Error> {
    let email = form.input.typed("email").to_owned();
    if email.is_empty() {
        let mut errors = Errors::default();
        errors.add("email", "is required".to_owned());
        return draw_forgotten(&req, &app, StatusCode::UNPROCESSABLE_ENTITY, email, false, errors);
    }
    if let Err(error) = rate_limit::forgot(&req, &app, &email).await {
        let Error::TooManyRequests { detail, retry_after } = error else { return Err(error) };
        let mut errors = Errors::default();
        errors.add("email", detail);
        let page = draw_forgotten(&req, &app, StatusCode::TOO_MANY_REQUESTS, email, false, errors)?;
        return Ok(page::later(page, retry_after));
    }
    service::forgot(&app, &caller, &email).await?;
    draw_forgotten(&req, &app, StatusCode::OK, email, true, Errors::default())
}

fn draw_forgotten(
    req: &HttpRequest,
    app: &App,
    status: StatusCode,
    email: String,
    sent: bool,
    errors: Errors,
) -> Result<HttpResponse, Error> {
    page::show_as(status, &ForgottenPage { frame: Frame::of(req, app, "forgotten"), email, sent, errors })
}

/// `GET /admin/reset?token=…`.
///
/// # Errors
/// 400; a link that is over gets a page that says so.
pub async fn reset_form(req: HttpRequest, app: Data<App>, tokens: Data<Tokens>) -> Result<HttpResponse, Error> {
    form_of(&req, &app, &tokens, Kind::Reset).await
}

/// `POST /admin/reset`: sets the password and leads to the sign-in, which may ask for more than that.
///
/// # Errors
/// 403 for a form that is not ours; mistakes come back with the form.
pub async fn reset(
    req: HttpRequest,
    caller: Anyone,
    app: Data<App>,
    hashing: Data<Hashing>,
    tokens: Data<Tokens>,
    form: Form,
) -> Result<HttpResponse, Error> {
    match set(&req, &caller, &app, &hashing, &tokens, Kind::Reset, &form).await? {
        Ok(_) => {
            page::flash_ok(&req, "Your password is set. Sign in with it.");
            Ok(page::see_other("/admin/login"))
        }
        Err(refused) => Ok(refused),
    }
}

/// `GET /admin/invitation?token=…`.
///
/// # Errors
/// As [`reset_form`].
pub async fn invitation_form(req: HttpRequest, app: Data<App>, tokens: Data<Tokens>) -> Result<HttpResponse, Error> {
    form_of(&req, &app, &tokens, Kind::Invitation).await
}

/// `POST /admin/invitation`: sets the first password and signs in.
///
/// # Errors
/// As [`reset`].
pub async fn invitation(
    req: HttpRequest,
    caller: Anyone,
    app: Data<App>,
    hashing: Data<Hashing>,
    tokens: Data<Tokens>,
    session: Session,
    form: Form,
) -> Result<HttpResponse, Error> {
    match set(&req, &caller, &app, &hashing, &tokens, Kind::Invitation, &form).await? {
        Ok(user) => {
            let welcome = format!("Welcome, {}.", user.username);
            let signed_in = SignedIn { user, renewed_hash: None };
            let to = after_password(&req, &app, &caller, &session, signed_in, super::START.to_owned()).await?;
            page::flash_ok(&req, welcome);
            Ok(page::see_other(&to))
        }
        Err(refused) => Ok(refused),
    }
}

async fn form_of(req: &HttpRequest, app: &App, tokens: &Tokens, kind: Kind) -> Result<HttpResponse, Error> {
    let params = Params::parse(req.query_string())?;
    let token = params.get("token").unwrap_or_default();
    match links::who(app, tokens, kind, token).await {
        Ok(user) => draw(req, app, kind, token, &user, StatusCode::OK, Errors::default()),
        Err(Error::Unauthenticated(_)) => over(req, app, kind),
        Err(error) => Err(error),
    }
}

/// The user whose password is set now, or the page that says why it is not.
async fn set(
    req: &HttpRequest,
    caller: &Anyone,
    app: &App,
    hashing: &Hashing,
    tokens: &Tokens,
    kind: Kind,
    form: &Form,
) -> Result<Result<User, HttpResponse>, Error> {
    let (token, new) = (form.verbatim("token"), form.verbatim("new_password"));
    match links::set_password(app, hashing, tokens, caller, (kind, token), new).await {
        Ok(user) => Ok(Ok(user)),
        Err(Error::Unauthenticated(_)) => over(req, app, kind).map(Err),
        Err(error) => {
            let (status, errors) = page::mistakes(error)?;
            let user = links::who(app, tokens, kind, token).await?;
            draw(req, app, kind, token, &user, status, errors).map(Err)
        }
    }
}

fn draw(
    req: &HttpRequest,
    app: &App,
    kind: Kind,
    token: &str,
    user: &User,
    status: StatusCode,
    errors: Errors,
) -> Result<HttpResponse, Error> {
    let frame = Frame { user: None, ..Frame::of(req, app, "choose") };
    let (heading, lead, action, submit) = match kind {
        Kind::Invitation => (
            "Choose a password",
            format!("Welcome to {}. With it you sign in from now on.", app.config.app_name),
            "/admin/invitation",
            "Set the password and sign in",
        ),
        _ => (
            "Set another password",
            "Every session and token that is open now will end.".to_owned(),
            "/admin/reset",
            "Set the password",
        ),
    };
    let page = ChoosePage {
        frame,
        heading,
        lead,
        action,
        submit,
        token: token.to_owned(),
        username: user.username.clone(),
        errors,
    };
    page::show_as(status, &page)
}

fn over(req: &HttpRequest, app: &App, kind: Kind) -> Result<HttpResponse, Error> {
    let page = OverPage { frame: Frame::of(req, app, "choose"), invited: kind == Kind::Invitation };
    page::show_as(StatusCode::NOT_FOUND, &page)
}
