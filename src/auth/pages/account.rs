//! One's own account: profile, password, sessions, all on one page.

use actix_session::Session;
use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::views::{AccountPage, Profile, SessionRow};
use crate::app::App;
use crate::auth::device;
use crate::auth::second_factor;
use crate::auth::service;
use crate::auth::service::sessions::{self as own_sessions, Listed};
use crate::auth::sessions;
use crate::changes::Expected;
use crate::error::Error;
use crate::fields::{Input, Raw};
use crate::time::Timestamp;
use crate::users;
use crate::users::hashing::Hashing;
use crate::users::model::{PROFILE, User, UserInput};
use crate::web::caller::Member;
use crate::web::conflict;
use crate::web::form::Form;
use crate::web::page::{self, Frame};
use crate::web::view::{Errors, When};

/// Where the page lies.
pub const PATH: &str = "/admin/account";

/// `GET /admin/account`.
///
/// # Errors
/// 404 when one was deleted meanwhile.
pub async fn show(req: HttpRequest, member: Member, app: Data<App>, session: Session) -> Result<HttpResponse, Error> {
    Page { req: &req, member: &member, app: &app, session: &session }
        .draw(None, Errors::default(), StatusCode::OK)
        .await
}

/// `POST /admin/account`: the profile.
///
/// # Errors
/// 403 for a form that is not ours; mistakes, and an admin's change meanwhile, come back with the form.
pub async fn save(
    req: HttpRequest,
    member: Member,
    app: Data<App>,
    session: Session,
    form: Form,
) -> Result<HttpResponse, Error> {
    let page = Page { req: &req, member: &member, app: &app, session: &session };
    let mut typed = form.input;
    // A second time when an admin has changed something else meanwhile.
    for _ in 0..2 {
        let seen: i64 = typed.typed("version").parse().map_err(|_| page::unversioned())?;
        // All that was sent: what one may not set of oneself is refused, not ignored.
        let mut input = typed.clone();
        // The form's word for `If-Match`, and no field of the user.
        input.set("version", Raw::Null);
        let input = UserInput::read(&input);
        let (id, expected) = (member.id(), Expected::Versions(vec![seen]));
        match app.write(&member, move |tx| users::service::update(tx, id, input, &expected)).await {
            Ok(_) => {
                page::flash_ok(&req, "Saved your profile");
                return Ok(page::see_other(PATH));
            }
            Err(Error::PreconditionFailed(_)) => {
                let (now, before) = app.look_up(move |conn| users::service::with_version(conn, id, seen)).await?;
                let errors = merge(&mut typed, &now, &before);
                if !errors.is_empty() {
                    return page.draw(Some((typed, errors)), Errors::default(), StatusCode::CONFLICT).await;
                }
            }
            Err(error) => {
                let (status, errors) = page::mistakes(error)?;
                return page.draw(Some((typed, errors)), Errors::default(), status).await;
            }
        }
    }
    Err(Error::Unavailable {
        detail: "Somebody else is changing your account right now. Try again.",
        retry_after: 1,
        reason: "a profile was changed twice while it was saved".to_owned(),
    })
}

/// Lays what was typed over what is there now: what was left alone takes what somebody else made of it; what
/// both changed is told at its field.
fn merge(typed: &mut Input, now: &User, before: &conflict::Fields) -> Errors {
    let theirs = conflict::fields(now);
    let mut errors = Errors::default();
    for (name, label) in PROFILE {
        let (mine, theirs, before) = (typed.typed(name), conflict::text(&theirs, name), conflict::text(before, name));
        if theirs == before || theirs == mine {
            continue;
        }
        if mine == before {
            typed.set(name, Raw::Text(theirs));
        } else {
            let label = label.to_lowercase();
            let message = if theirs.is_empty() {
                format!("an admin removed your {label} meanwhile. Save again to keep yours, or leave it empty.")
            } else {
                format!("an admin set your {label} to “{theirs}” meanwhile. Save again to keep yours, or type theirs.")
            };
            errors.add(name, message);
        }
    }
    typed.set("version", Raw::Text(now.version.to_string()));
    errors
}

/// `GET /admin/account/password`: where a password form that was refused has its address.
pub async fn password_form(_: Member) -> HttpResponse {
    page::see_other("/admin/account#password")
}

/// `POST /admin/account/password`: this session goes on, under a new key; every other ends.
///
/// # Errors
/// 403 for a form that is not ours, 503; mistakes come back with the form.
pub async fn change_password(
    req: HttpRequest,
    member: Member,
    app: Data<App>,
    hashing: Data<Hashing>,
    session: Session,
    form: Form,
) -> Result<HttpResponse, Error> {
    let (current, new) = (form.verbatim("current_password").to_owned(), form.verbatim("new_password").to_owned());
    match service::change_password(&app, &hashing, &member, current, new).await {
        Ok(user) => {
            sessions::go_on(&session, &user)?;
            page::flash_ok(&req, "Changed your password. Every other session has ended.");
            Ok(page::see_other(PATH))
        }
        Err(error) => {
            let drawn = Page { req: &req, member: &member, app: &app, session: &session };
            if let Error::TooManyRequests { detail, retry_after } = error {
                let mut errors = Errors::default();
                errors.add("current_password", detail);
                let page = drawn.draw(None, errors, StatusCode::TOO_MANY_REQUESTS).await?;
                return Ok(page::later(page, retry_after));
            }
            let (status, errors) = page::mistakes(error)?;
            drawn.draw(None, errors, status).await
        }
    }
}

/// What the page is drawn for.
struct Page<'p> {
    req: &'p HttpRequest,
    member: &'p Member,
    app: &'p App,
    session: &'p Session,
}

impl Page<'_> {
    async fn draw(
        &self,
        typed: Option<(Input, Errors)>,
        password: Errors,
        status: StatusCode,
    ) -> Result<HttpResponse, Error> {
        let id = self.member.id();
        let now = Timestamp::now();
        let load = move |conn: &mut crate::db::Conn| {
            let user = users::store::find(conn, id)?.ok_or_else(|| Error::missing("User", id))?;
            let sessions = own_sessions::of(conn, &user, now)?;
            Ok((user, sessions, second_factor::is_on(conn, id)?))
        };
        let (user, listed, two_factor) = self.app.look_up(load).await?;
        let own = sessions::own_id(self.session);
        let mut rows: Vec<SessionRow> = listed.into_iter().map(|session| row(session, own.as_deref(), now)).collect();
        // Stable: behind this one the others stay in their order.
        rows.sort_by_key(|session| !session.own);
        let profile = match typed {
            Some((input, errors)) => Profile { errors, ..profile(|name| input.typed(name).to_owned()) },
            None => {
                let fields = conflict::fields(&user);
                let version = user.version.to_string();
                profile(|name| if name == "version" { version.clone() } else { conflict::text(&fields, name) })
            }
        };
        let page = AccountPage {
            frame: Frame::of(self.req, self.app, "account"),
            username: user.username,
            email: user.email,
            role: user.role,
            created: When::ago(user.created_at, now),
            last_login: user.last_login_at.map(|at| When::ago(at, now)),
            profile,
            password,
            two_factor,
            sessions: rows,
            idle: counted(self.app.config.session_idle_minutes, "minute"),
            longest: counted(self.app.config.session_max_hours, "hour"),
        };
        page::show_as(status, &page)
    }
}

fn profile(text: impl Fn(&str) -> String) -> Profile {
    Profile {
        username: text("username"),
        full_name: text("full_name"),
        age: text("age"),
        website: text("website"),
        version: text("version"),
        errors: Errors::default(),
    }
}

fn row(session: Listed, own: Option<&str>, now: Timestamp) -> SessionRow {
    let agent = session.device.unwrap_or_default();
    SessionRow {
        device: if agent.is_empty() { "Unknown device".to_owned() } else { device::name(&agent) },
        agent,
        address: session.address.unwrap_or_else(|| "Unknown address".to_owned()),
        begun: When::ago(session.created_at, now),
        used: When::ago(session.seen_at, now),
        own: own == Some(session.id.as_str()),
        id: session.id,
    }
}

fn counted(count: u32, of: &str) -> String {
    if count == 1 { format!("1 {of}") } else { format!("{count} {of}s") }
}
