//! Acts on one user that end something: another role, access, sessions. Each asks first and says what it ends.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::views::UserAskPage;
use super::{PATH, find, find_and_whether_last, roles};
use crate::app::App;
use crate::caller::Role;
use crate::changes::Tx;
use crate::error::Error;
use crate::users::model::User;
use crate::users::service;
use crate::web::caller::Admin;
use crate::web::form::Form;
use crate::web::page::{self, Frame};
use crate::web::view::Errors;

/// Why the last admin stays one.
pub const LAST: &str = "This is the last active admin: without one, nobody could manage users. Make another one first.";
/// Where one's own sessions are.
const OWN_SESSIONS: &str = "/admin/account#sessions";

/// `GET /admin/users/{id}/role`: which, and what it ends.
///
/// # Errors
/// 403, 404.
pub async fn ask_role(req: HttpRequest, admin: Admin, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let (user, last) = find_and_whether_last(&app, &admin, id.into_inner()).await?;
    page::show(&role_page(&req, &app, &user, last, Errors::default()))
}

/// `POST /admin/users/{id}/role`.
///
/// # Errors
/// 403, 404; mistakes come back with the form.
pub async fn set_role(
    req: HttpRequest,
    admin: Admin,
    app: Data<App>,
    id: Path<i64>,
    form: Form,
) -> Result<HttpResponse, Error> {
    let (user, last) = find_and_whether_last(&app, &admin, id.into_inner()).await?;
    let Ok(role) = form.verbatim("role").parse::<Role>() else {
        let mut errors = Errors::default();
        errors.add("role", "must be admin, user or guest".to_owned());
        let page = role_page(&req, &app, &user, last, errors);
        return page::show_as(StatusCode::UNPROCESSABLE_ENTITY, &page);
    };
    if role == user.role() {
        page::flash_ok(&req, format!("{} has the role {role} already", user.username));
        return Ok(page::see_other(&format!("{PATH}/{}", user.id)));
    }
    let done = format!("{} has the role {role} now", user.username);
    let id = user.id;
    act(&req, &admin, &app, id, "role", done, move |tx| service::set_role(tx, id, role)).await
}

fn role_page(req: &HttpRequest, app: &App, user: &User, last: bool, errors: Errors) -> UserAskPage {
    UserAskPage {
        frame: Frame::of(req, app, "users"),
        id: user.id,
        username: user.username.clone(),
        heading: format!("Change the role of {}", user.username),
        effects: vec![
            "It counts at once. They are signed out everywhere: sessions, access tokens and refresh tokens end within a second.",
            "Admins may do everything. Users create, and edit what they own. Guests only read.",
        ],
        refused: last.then_some(LAST),
        action: format!("{PATH}/{}/role", user.id),
        roles: roles(Some(&user.role)),
        field: None,
        submit: "Change role",
        destructive: false,
        errors,
    }
}

/// `GET /admin/users/{id}/access`: deactivate who is active, activate who is not.
///
/// # Errors
/// 403, 404.
pub async fn ask_access(req: HttpRequest, admin: Admin, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let (user, last) = find_and_whether_last(&app, &admin, id.into_inner()).await?;
    let own = admin.user_id() == Some(user.id);
    let ends = "Everything they are signed in with ends within a second: sessions, access tokens, refresh tokens. They cannot sign in again.";
    let own_ends = "This is you: you are signed out at once, and only another admin can let you in again.";
    let page = UserAskPage {
        frame: Frame::of(&req, &app, "users"),
        id: user.id,
        heading: if user.is_active {
            format!("Deactivate {}?", user.username)
        } else {
            format!("Activate {}?", user.username)
        },
        username: user.username,
        effects: match (user.is_active, own) {
            (true, true) => vec![own_ends, "What you own stays yours."],
            (true, false) => vec![ends, "What they own stays theirs, and you can activate them again."],
            (false, _) => vec!["They can sign in again with the password they had. What had ended stays ended."],
        },
        refused: (last && user.is_active).then_some(LAST),
        action: format!("{PATH}/{}/access", user.id),
        roles: Vec::new(),
        field: Some(("is_active", if user.is_active { "false" } else { "true" })),
        submit: if user.is_active { "Deactivate user" } else { "Activate user" },
        destructive: user.is_active,
        errors: Errors::default(),
    };
    page::show(&page)
}

/// `POST /admin/users/{id}/access`: `is_active` is what it becomes.
///
/// # Errors
/// 400 when the form does not say, 403, 404.
pub async fn set_access(
    req: HttpRequest,
    admin: Admin,
    app: Data<App>,
    id: Path<i64>,
    form: Form,
) -> Result<HttpResponse, Error> {
    let active = match form.verbatim("is_active") {
        "true" => true,
        "false" => false,
        _ => return Err(Error::Malformed("The form does not say whether they may come in.".to_owned())),
    };
    let user = find(&app, &admin, id.into_inner()).await?;
    let done = format!("{} {}", if active { "Activated" } else { "Deactivated" }, user.username);
    if user.is_active == active {
        page::flash_ok(&req, done);
        return Ok(page::see_other(&format!("{PATH}/{}", user.id)));
    }
    let id = user.id;
    act(&req, &admin, &app, id, "access", done, move |tx| service::set_active(tx, id, active)).await
}

/// `GET /admin/users/{id}/end-sessions`; one's own are in the account.
///
/// # Errors
/// 403, 404.
pub async fn ask_end_sessions(
    req: HttpRequest,
    admin: Admin,
    app: Data<App>,
    id: Path<i64>,
) -> Result<HttpResponse, Error> {
    let user = find(&app, &admin, id.into_inner()).await?;
    if admin.user_id() == Some(user.id) {
        return Ok(page::see_other(OWN_SESSIONS));
    }
    let page = UserAskPage {
        frame: Frame::of(&req, &app, "users"),
        id: user.id,
        heading: format!("End the sessions of {}?", user.username),
        username: user.username,
        effects: vec![
            "They are signed out everywhere within a second: sessions, access tokens and refresh tokens end.",
            "Their password stays, so they can sign in again. API keys stay.",
        ],
        refused: None,
        action: format!("{PATH}/{}/end-sessions", user.id),
        roles: Vec::new(),
        field: None,
        submit: "End sessions",
        destructive: true,
        errors: Errors::default(),
    };
    page::show(&page)
}

/// `POST /admin/users/{id}/end-sessions`.
///
/// # Errors
/// 403, 404.
pub async fn end_sessions(
    req: HttpRequest,
    admin: Admin,
    app: Data<App>,
    id: Path<i64>,
    _: Form,
) -> Result<HttpResponse, Error> {
    let user = find(&app, &admin, id.into_inner()).await?;
    let id = user.id;
    if admin.user_id() == Some(id) {
        return Ok(page::see_other(OWN_SESSIONS));
    }
    let done = format!("Ended the sessions of {}", user.username);
    act(&req, &admin, &app, id, "end-sessions", done, move |tx| service::end_sessions(tx, id)).await
}

/// `POST /admin/users/{id}/invite`: sends the invitation once more.
///
/// # Errors
/// 403, 404.
pub async fn invite_again(
    req: HttpRequest,
    admin: Admin,
    app: Data<App>,
    id: Path<i64>,
    _: Form,
) -> Result<HttpResponse, Error> {
    let user = find(&app, &admin, id.into_inner()).await?;
    let id = user.id;
    let done = format!("Sent the invitation to {} again", user.email);
    act(&req, &admin, &app, id, "", done, move |tx| service::invite_again(tx, id)).await
}

/// Does it and says so; what stands against it is said where it was asked.
async fn act(
    req: &HttpRequest,
    admin: &Admin,
    app: &App,
    id: i64,
    asked: &str,
    done: String,
    work: impl FnOnce(&mut Tx<'_>) -> Result<User, Error> + Send + 'static,
) -> Result<HttpResponse, Error> {
    let at = format!("{PATH}/{id}");
    match app.write(admin, work).await {
        Ok(_) => {
            page::flash_ok(req, done);
            Ok(page::see_other(&at))
        }
        Err(Error::Conflict { detail, .. }) => {
            page::flash_error(req, detail);
            Ok(page::see_other(format!("{at}/{asked}").trim_end_matches('/')))
        }
        Err(error) => Err(error),
    }
}
