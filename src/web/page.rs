//! Pages: what every page is given besides its own matter (the frame), how one is answered, and the one line
//! that tells the next page what the last act came to.

use actix_session::SessionExt as _;
use actix_web::http::{StatusCode, header};
use actix_web::{HttpMessage as _, HttpRequest, HttpResponse};
use askama::Template;

use super::form::CsrfToken;
use super::view::Errors;
use crate::app::App;
use crate::caller::Caller;
use crate::error::Error;
use crate::fields::{FieldError as Mistake, Input};

/// A longer address to go back to is not followed, in bytes.
const LONGEST_TARGET: usize = 2_048;
/// The cookie that keeps the chosen look.
pub const THEME_COOKIE: &str = "stockroom_theme";
/// Where the session keeps the flash line.
const FLASH: &str = "flash";

/// What `base.html` and `bare.html` need of every page.
#[derive(Clone, Debug, Default)]
pub struct Frame {
    pub app_name: String,
    /// Where the static files lie: `/static/ab12cd34`.
    pub assets: String,
    /// `light` or `dark` when chosen, empty for the system's.
    pub theme: String,
    pub csrf: String,
    /// Who is signed in; absent on the bare pages.
    pub user: Option<FrameUser>,
    pub flash: Option<Flash>,
    /// Which place of the sidebar this page belongs to: `items`, `categories`, `users`, `account`.
    pub place: &'static str,
    /// Path and query of this page: where the theme switch and bulk actions come back to.
    pub path: String,
}

/// Who is signed in, as the sidebar shows it.
#[derive(Clone, Debug)]
pub struct FrameUser {
    pub username: String,
    pub role: String,
    pub initials: String,
}

/// One line about what the last act came to; `kind` is `ok` or `error`.
#[derive(Clone, Debug)]
pub struct Flash {
    pub kind: String,
    pub text: String,
}

/// The page for any failure outside `/api`.
#[derive(Template)]
#[template(path = "error.html")]
pub struct ErrorPage {
    pub frame: Frame,
    pub status: u16,
    pub title: String,
    pub detail: String,
    pub request_id: String,
    /// The way back: a path without a query (it is the action of a GET form) and its words, "Back to items".
    pub back_url: String,
    pub back_label: String,
}

impl Frame {
    /// The frame of a page for this request. A flash line that waits is taken: it is shown once.
    pub fn of(req: &HttpRequest, app: &App, place: &'static str) -> Self {
        let extensions = req.extensions();
        let user = extensions.get::<Caller>().and_then(Caller::principal).map(|principal| FrameUser {
            username: principal.username.to_string(),
            role: principal.role.to_string(),
            initials: initials(&principal.username),
        });
        let csrf = extensions.get::<CsrfToken>().map(|t| t.0.clone()).unwrap_or_default();
        drop(extensions);
        let flash =
            req.get_session().remove(FLASH).and_then(|text| serde_json::from_str::<(String, String)>(&text).ok());
        Self {
            app_name: app.config.app_name.clone(),
            assets: super::assets::BASE.to_owned(),
            theme: theme(req),
            csrf,
            user,
            flash: flash.map(|(kind, text)| Flash { kind, text }),
            place,
            path: req.uri().path_and_query().map_or_else(String::new, ToString::to_string),
        }
    }
}

/// `ab` for `ann_brown` and for `ab`.
pub fn initials(name: &str) -> String {
    let parts: Vec<&str> = name.split(['_', ' ']).filter(|p| !p.is_empty()).collect();
    let letters: String = match parts.as_slice() {
        [one] => one.chars().take(2).collect(),
        many => many.iter().take(2).filter_map(|p| p.chars().next()).collect(),
    };
    letters.to_uppercase()
}

/// The chosen look: `light`, `dark`, or nothing for the system's.
pub fn theme(req: &HttpRequest) -> String {
    match req.cookie(THEME_COOKIE) {
        Some(cookie) if matches!(cookie.value(), "light" | "dark") => cookie.value().to_owned(),
        _ => String::new(),
    }
}

/// Leaves a line for the next page: what was done.
pub fn flash_ok(req: &HttpRequest, text: impl Into<String>) {
    flash(req, "ok", text.into());
}

/// Leaves a line for the next page: what could not be done.
pub fn flash_error(req: &HttpRequest, text: impl Into<String>) {
    flash(req, "error", text.into());
}

fn flash(req: &HttpRequest, kind: &str, text: String) {
    if let Err(error) = req.get_session().insert(FLASH, (kind, text)) {
        log::warn!("a message could not be kept: {error}");
    }
}

/// 200 with a page.
///
/// # Errors
/// Only when the template cannot be drawn.
pub fn show(page: &impl Template) -> Result<HttpResponse, Error> {
    show_as(StatusCode::OK, page)
}

/// A page with a status: 422 for a form with mistakes, 409 for a conflict.
///
/// # Errors
/// As [`show`].
pub fn show_as(status: StatusCode, page: &impl Template) -> Result<HttpResponse, Error> {
    let html = page.render().map_err(|e| Error::Internal(format!("a page cannot be drawn: {e}")))?;
    Ok(HttpResponse::build(status)
        .content_type("text/html; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .body(html))
}

/// 303: after a form, the next page is fetched.
pub fn see_other(path: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, path))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}

/// A page of ours to go back to, or the fallback: never another host, and nothing but the site under `/admin`.
pub fn own_path(target: &str, fallback: &str) -> String {
    let path = target.split(['?', '#']).next().unwrap_or_default();
    // Browsers take `\` for `/`, drop tabs and line ends, and follow `..` also when it is encoded.
    let plain = (path == "/admin" || path.starts_with("/admin/"))
        && target.len() <= LONGEST_TARGET
        && target.bytes().all(|b| b.is_ascii_graphic() && b != b'\\')
        && !path.contains("//")
        && !["..", "%2e", "%2f", "%5c"].iter().any(|way_out| path.to_ascii_lowercase().contains(way_out));
    if plain { target.to_owned() } else { fallback.to_owned() }
}

/// What a use case found wrong with a form, at its fields; any other failure is passed on.
///
/// # Errors
/// The failure, when it is not about the form's fields.
pub fn mistakes(error: Error) -> Result<(StatusCode, Errors), Error> {
    let shown = |mistakes: &[Mistake]| {
        Errors(
            mistakes
                .iter()
                .map(|m| super::view::FieldError { field: m.field.clone(), message: m.message.clone() })
                .collect(),
        )
    };
    match error {
        Error::Invalid(errors) => Ok((StatusCode::UNPROCESSABLE_ENTITY, shown(errors.list()))),
        Error::Conflict { detail, field } => {
            let field = field.unwrap_or_default().to_owned();
            Ok((StatusCode::CONFLICT, Errors(vec![super::view::FieldError { field, message: detail }])))
        }
        other => Err(other),
    }
}

/// A page that says: not before so many seconds have passed.
pub fn later(mut page: HttpResponse, seconds: u32) -> HttpResponse {
    page.headers_mut().insert(header::RETRY_AFTER, seconds.into());
    page
}

/// What a form is told that does not say which version it changes.
pub fn unversioned() -> Error {
    Error::Malformed("The form does not say which version it changes. Load the page again.".to_owned())
}

/// A checkbox that is not ticked is not sent at all; in a form that has one, absent means false.
pub fn checkbox(input: &mut Input, name: &str) {
    if input.get(name).is_none() {
        input.set(name, crate::fields::Raw::Text("false".to_owned()));
    }
}
