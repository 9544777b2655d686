//! The browser's door of signing in, in the order of the routes. What somebody does who cannot is in
//! `pages/passwords.rs`, the code after the password in `pages/code.rs`, one's own account in `pages/account.rs`,
//! its sessions in `pages/sessions.rs`, its two-factor sign-in in `pages/second_factor.rs`.

pub mod account;
pub mod api_keys;
pub mod code;
pub mod passwords;
pub mod second_factor;
pub mod sessions;
pub mod views;

use actix_session::Session;
use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};

use super::model::SignIn;
use super::service;
use super::sessions::begin;
use crate::app::App;
use crate::caller::Caller;
use crate::error::Error;
use crate::fields::{Input, Raw};
use crate::users::hashing::Hashing;
use crate::users::model::UserInput;
use crate::web::caller::{Anyone, Member};
use crate::web::form::Form;
use crate::web::list::Params;
use crate::web::page::{self, Frame, THEME_COOKIE};
use crate::web::view::Errors;
use views::{LoginPage, SetupPage};

/// Where the site begins.
const START: &str = "/admin";

/// `GET /`: to the site.
pub async fn start() -> HttpResponse {
    page::see_other(START)
}

/// `GET /admin`: on to what one may see.
pub async fn home(caller: Member) -> HttpResponse {
    page::see_other(home_of(caller.is_admin()))
}

/// Where somebody lands who has not said where to: who is no admin has only their own account here.
fn home_of(admin: bool) -> &'static str {
    if admin { "/admin/items" } else { "/admin/account" }
}

/// `GET /admin/login`.
///
/// # Errors
/// 400 for a query string that cannot be read.
pub async fn login_form(req: HttpRequest, caller: Anyone, app: Data<App>) -> Result<HttpResponse, Error> {
    let params = Params::parse(req.query_string())?;
    let next = page::own_path(params.get("next").unwrap_or_default(), "");
    if caller.principal().is_some() {
        return Ok(page::see_other(if next.is_empty() { START } else { &next }));
    }
    page::show(&LoginPage { frame: Frame::of(&req, &app, "login"), username: String::new(), next, error: None })
}

/// `POST /admin/login`.
///
/// # Errors
/// 403 for a form that is not ours, 503; what is wrong with the name and password is said in the form.
pub async fn login(
    req: HttpRequest,
    caller: Anyone,
    app: Data<App>,
    hashing: Data<Hashing>,
    session: Session,
    form: Result<Form, Error>,
) -> Result<HttpResponse, Error> {
    // Somebody who signed in meanwhile, in another tab: this form's token is of before.
    let form = match form {
        Err(Error::Forbidden(_)) if caller.principal().is_some() => return Ok(page::see_other(START)),
        form => form?,
    };
    let username = form.verbatim("username").to_owned();
    let next = page::own_path(form.verbatim("next"), "");
    let with = SignIn { login: username.clone(), password: form.verbatim("password").to_owned() };
    match service::sign_in(&app, &hashing, &caller, with).await {
        Ok(signed_in) => {
            Ok(page::see_other(&code::after_password(&req, &app, &caller, &session, signed_in, next).await?))
        }
        Err(Error::Unauthenticated(detail)) => refuse(&req, &app, StatusCode::UNAUTHORIZED, username, next, detail),
        Err(Error::Malformed(detail)) => refuse(&req, &app, StatusCode::BAD_REQUEST, username, next, detail),
        Err(Error::TooManyRequests { detail, retry_after }) => {
            let page = refuse(&req, &app, StatusCode::TOO_MANY_REQUESTS, username, next, detail)?;
            Ok(page::later(page, retry_after))
        }
        Err(error) => Err(error),
    }
}

fn refuse(
    req: &HttpRequest,
    app: &App,
    status: StatusCode,
    username: String,
    next: String,
    detail: String,
) -> Result<HttpResponse, Error> {
    page::show_as(status, &LoginPage { frame: Frame::of(req, app, "login"), username, next, error: Some(detail) })
}

/// `POST /admin/logout`.
///
/// # Errors
/// 403 for a form that is not ours.
pub async fn logout(session: Session, _: Form) -> Result<HttpResponse, Error> {
    session.purge();
    Ok(page::see_other("/admin/login"))
}

/// `GET /admin/setup?token=…`: the first admin.
///
/// # Errors
/// 404 without the right token.
pub async fn setup_form(req: HttpRequest, app: Data<App>) -> Result<HttpResponse, Error> {
    let params = Params::parse(req.query_string())?;
    let token = params.get("token").unwrap_or_default();
    service::check_setup(&app, token)?;
    draw_setup(&req, &app, token, &Input::from_text([]), StatusCode::OK, Errors::default())
}

/// `POST /admin/setup`: makes the first admin and signs them in.
///
/// # Errors
/// 404 without the right token; mistakes come back with the form.
pub async fn setup(
    req: HttpRequest,
    app: Data<App>,
    hashing: Data<Hashing>,
    session: Session,
    form: Form,
) -> Result<HttpResponse, Error> {
    let token = form.verbatim("token");
    service::check_setup(&app, token)?;
    let mut input = form.input.clone();
    // A password counts as it was typed.
    input.set("password", Raw::Text(form.verbatim("password").to_owned()));
    let caller =
        req.extensions().get::<Caller>().cloned().ok_or_else(|| Error::Internal("nobody was identified".to_owned()))?;
    let user = match service::set_up(&app, &hashing, &caller, UserInput::read(&input)).await {
        Ok(user) => user,
        Err(error) => {
            let (status, errors) = page::mistakes(error)?;
            return draw_setup(&req, &app, token, &form.input, status, errors);
        }
    };
    begin(&req, &session, &user)?;
    page::flash_ok(&req, format!("Welcome, {}. You are the first admin.", user.username));
    Ok(page::see_other(START))
}

fn draw_setup(
    req: &HttpRequest,
    app: &App,
    token: &str,
    input: &Input,
    status: StatusCode,
    errors: Errors,
) -> Result<HttpResponse, Error> {
    let page = SetupPage {
        frame: Frame::of(req, app, "setup"),
        token: token.to_owned(),
        email: input.typed("email").to_owned(),
        username: input.typed("username").to_owned(),
        errors,
    };
    page::show_as(status, &page)
}

/// `POST /admin/theme`: light, dark, or as the system has it; kept for a year in this browser.
///
/// # Errors
/// 403 for a form that is not ours.
pub async fn theme(app: Data<App>, form: Form) -> Result<HttpResponse, Error> {
    let theme = match form.verbatim("theme") {
        theme @ ("light" | "dark") => theme,
        _ => "",
    };
    let cookie = Cookie::build(THEME_COOKIE, theme.to_owned())
        .path("/")
        .secure(app.config.is_https())
        .same_site(SameSite::Lax)
        .max_age(if theme.is_empty() { Duration::ZERO } else { Duration::days(365) })
        .finish();
    let mut response = page::see_other(&page::own_path(form.verbatim("back"), START));
    response.add_cookie(&cookie).map_err(|e| Error::Internal(e.to_string()))?;
    Ok(response)
}
