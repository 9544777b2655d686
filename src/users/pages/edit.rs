//! The forms of a user: the invitation, and the edit with its conflict.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::views::{UserConflictPage, UserFormPage, UserValues};
use super::{PATH, find, roles};
use crate::app::App;
use crate::changes::Expected;
use crate::error::Error;
use crate::fields::{Input, Raw};
use crate::time::Timestamp;
use crate::users::hashing::Hashing;
use crate::users::model::{FIELDS, User, UserInput, may_set};
use crate::users::service;
use crate::web::caller::Admin;
use crate::web::conflict::{self, Conflict, Fields};
use crate::web::form::Form;
use crate::web::page::{self, Frame};
use crate::web::view::{Errors, When};

/// `GET /admin/users/new`.
///
/// # Errors
/// 403.
pub async fn blank(req: HttpRequest, _: Admin, app: Data<App>) -> Result<HttpResponse, Error> {
    let input = Input::from_text([("role", "user")]);
    draw(&req, &app, None, &input, StatusCode::OK, Errors::default())
}

/// `POST /admin/users/new`: without a password they are invited by mail and choose one.
///
/// # Errors
/// 403, 503; mistakes come back with the form.
pub async fn create(
    req: HttpRequest,
    admin: Admin,
    app: Data<App>,
    hashing: Data<Hashing>,
    form: Form,
) -> Result<HttpResponse, Error> {
    let mut input = form.input.clone();
    // A password counts as it was typed.
    let password = form.verbatim("password");
    input.set("password", if password.is_empty() { Raw::Null } else { Raw::Text(password.to_owned()) });
    match make(&app, &hashing, &admin, UserInput::read(&input)).await {
        Ok(user) if user.password_hash.is_none() => {
            page::flash_ok(&req, format!("Invited {} at {}", user.username, user.email));
            Ok(page::see_other(&format!("{PATH}/{}", user.id)))
        }
        Ok(user) => {
            page::flash_ok(&req, format!("Created {}", user.username));
            Ok(page::see_other(&format!("{PATH}/{}", user.id)))
        }
        Err(error) => {
            let (status, errors) = page::mistakes(error)?;
            draw(&req, &app, None, &form.input, status, errors)
        }
    }
}

async fn make(app: &App, hashing: &Hashing, admin: &Admin, input: UserInput) -> Result<User, Error> {
    may_set(admin, &input, None)?;
    let new = hashing.prepare_or_invite(input).await?;
    app.write(admin, move |tx| service::create(tx, &new)).await
}

/// `GET /admin/users/{id}/edit`.
///
/// # Errors
/// 403, 404.
pub async fn edit(req: HttpRequest, admin: Admin, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let user = find(&app, &admin, id.into_inner()).await?;
    let fields = conflict::fields(&user);
    let version = user.version.to_string();
    let texts = FIELDS.map(|(name, _)| (name, conflict::text(&fields, name)));
    let mut input = Input::from_text(texts.iter().map(|(name, text)| (*name, text.as_str())));
    input.set("version", Raw::Text(version));
    draw(&req, &app, Some(&user), &input, StatusCode::OK, Errors::default())
}

/// `POST /admin/users/{id}/edit`: saves, or shows both versions when somebody changed the same meanwhile.
///
/// # Errors
/// 403, 404; mistakes come back with the form.
pub async fn save(
    req: HttpRequest,
    admin: Admin,
    app: Data<App>,
    id: Path<i64>,
    form: Form,
) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let mut typed = form.input;
    if typed.typed("resolve") == "yes" {
        let theirs = conflict::fields(&find(&app, &admin, id).await?);
        typed = conflict::chosen(&typed, &FIELDS, |name| value_of(&theirs, name));
    }
    page::checkbox(&mut typed, "is_active");
    let seen: i64 = typed.typed("version").parse().map_err(|_| page::unversioned())?;
    let mut result = write(&app, &admin, id, &typed, seen).await;
    if matches!(result, Err(Error::PreconditionFailed(_))) {
        let (now, before) = app.look_up(move |conn| service::with_version(conn, id, seen)).await?;
        let theirs = conflict::fields(&now);
        let untouched = FIELDS.iter().all(|(name, _)| value_of(&theirs, name) == value_of(&before, name));
        if !untouched {
            return show_conflict(&req, &app, &now, &before, &typed).await;
        }
        // Another version and yet the same fields: a new password, or ended sessions. That is no conflict.
        result = write(&app, &admin, id, &typed, now.version).await;
    }
    match result {
        Ok(user) => {
            page::flash_ok(&req, format!("Saved {}", user.username));
            Ok(page::see_other(&format!("{PATH}/{id}")))
        }
        Err(error) => {
            let (status, errors) = page::mistakes(error)?;
            let user = find(&app, &admin, id).await?;
            draw(&req, &app, Some(&user), &typed, status, errors)
        }
    }
}

async fn write(app: &App, admin: &Admin, id: i64, typed: &Input, seen: i64) -> Result<User, Error> {
    let mut input = typed.clone();
    // The form's word for `If-Match`, and no field of the user.
    input.set("version", Raw::Null);
    let input = UserInput::read(&input);
    let expected = Expected::Versions(vec![seen]);
    app.write(admin, move |tx| service::update(tx, id, input, &expected)).await
}

/// 409 with both versions: what was typed, and what is there.
async fn show_conflict(
    req: &HttpRequest,
    app: &App,
    now: &User,
    before: &Fields,
    typed: &Input,
) -> Result<HttpResponse, Error> {
    let theirs = conflict::fields(now);
    let id = now.id;
    let last = app.look_up(move |conn| service::last_change(conn, id)).await?;
    let (theirs_by, at) = last.unwrap_or_else(|| ("somebody".to_owned(), now.updated_at));
    let shown = |name: &str, raw: &str| match name {
        "is_active" => if raw == "true" { "Yes" } else { "No" }.to_owned(),
        _ => raw.to_owned(),
    };
    let (differing, equal) = conflict::compare(
        &FIELDS,
        |name| normal(name, typed.typed(name)),
        |name| value_of(&theirs, name),
        |name| value_of(before, name),
        shown,
    );
    let page = UserConflictPage {
        frame: Frame::of(req, app, "users"),
        id,
        username: now.username.clone(),
        conflict: Conflict {
            action: format!("{PATH}/{id}/edit"),
            back: format!("{PATH}/{id}"),
            version: now.version,
            theirs_by,
            theirs_at: When::ago(at, Timestamp::now()),
            differing,
            equal,
        },
    };
    page::show_as(StatusCode::CONFLICT, &page)
}

fn value_of(fields: &Fields, name: &str) -> String {
    normal(name, &conflict::text(fields, name))
}

/// `on` and `true` are the same tick, and an address is the same in any case.
fn normal(name: &str, text: &str) -> String {
    match name {
        "is_active" => matches!(text, "true" | "on" | "1").to_string(),
        "email" => text.to_lowercase(),
        _ => text.to_owned(),
    }
}

fn draw(
    req: &HttpRequest,
    app: &App,
    user: Option<&User>,
    input: &Input,
    status: StatusCode,
    errors: Errors,
) -> Result<HttpResponse, Error> {
    let text = |name: &str| input.typed(name).to_owned();
    let at = user.map_or_else(|| PATH.to_owned(), |user| format!("{PATH}/{}", user.id));
    let page = UserFormPage {
        frame: Frame::of(req, app, "users"),
        action: format!("{at}/{}", if user.is_some() { "edit" } else { "new" }),
        editing: user.map(|user| user.username.clone()),
        cancel_url: at,
        values: UserValues {
            email: text("email"),
            username: text("username"),
            full_name: text("full_name"),
            age: text("age"),
            website: text("website"),
            is_active: normal("is_active", input.typed("is_active")) == "true",
            version: text("version"),
        },
        roles: roles(Some(input.typed("role"))),
        errors,
    };
    page::show_as(status, &page)
}
