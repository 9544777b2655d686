//! Removing a user; who owns something needs an heir, who is searched for on the server.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::acts::LAST;
use super::views::{Heir, UserDeletePage};
use super::{PATH, find};
use crate::app::App;
use crate::changes::Expected;
use crate::error::Error;
use crate::users::model::User;
use crate::users::service;
use crate::web::caller::Admin;
use crate::web::form::Form;
use crate::web::list::Params;
use crate::web::page::{self, Frame};
use crate::web::view::Errors;

/// So many heirs are offered at once.
const OFFERED: i64 = 8;

/// `GET /admin/users/{id}/delete`: the question, or why it cannot be; `q` searches for an heir.
///
/// # Errors
/// 400, 403, 404.
pub async fn ask_delete(req: HttpRequest, admin: Admin, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let params = Params::parse(req.query_string())?;
    let q = params.get("q").unwrap_or_default().trim().to_owned();
    let question = Question { q, ..Question::default() };
    draw(&req, &admin, &app, id.into_inner(), question).await
}

/// `POST /admin/users/{id}/delete`: the act. What was changed after the question was asked is asked again.
///
/// # Errors
/// 403, 404; without an heir where one is needed the question comes back.
pub async fn delete(
    req: HttpRequest,
    admin: Admin,
    app: Data<App>,
    id: Path<i64>,
    form: Form,
) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let seen = form.input.typed("version").parse().map_err(|_| page::unversioned())?;
    let user = find(&app, &admin, id).await?;
    let heir = form.input.typed("reassign_to").to_owned();
    let reassign_to = if heir.is_empty() { None } else { Some(heir.parse().unwrap_or_default()) };
    let expected = Expected::Versions(vec![seen]);
    match app.write(&admin, move |tx| service::delete(tx, id, &expected, reassign_to)).await {
        Ok(()) => {
            page::flash_ok(&req, format!("Deleted {}", user.username));
            let own = admin.user_id() == Some(id);
            Ok(page::see_other(if own { "/admin" } else { PATH }))
        }
        Err(Error::PreconditionFailed(_)) => {
            page::flash_error(&req, "Somebody changed this user just now. Look at them again before you delete them.");
            Ok(page::see_other(&format!("{PATH}/{id}/delete")))
        }
        Err(Error::Conflict { .. }) if reassign_to.is_none() => {
            let mut errors = Errors::default();
            errors.add("reassign_to", "choose who takes that over".to_owned());
            let question = Question { status: StatusCode::CONFLICT, errors, ..Question::default() };
            draw(&req, &admin, &app, id, question).await
        }
        Err(error) => {
            let (status, errors) = page::mistakes(error)?;
            let question = Question { chosen: reassign_to, status, errors, ..Question::default() };
            draw(&req, &admin, &app, id, question).await
        }
    }
}

/// What the question is asked with.
#[derive(Default)]
struct Question {
    /// The search for an heir.
    q: String,
    /// Who was chosen before.
    chosen: Option<i64>,
    status: StatusCode,
    errors: Errors,
}

async fn draw(req: &HttpRequest, admin: &Admin, app: &App, id: i64, question: Question) -> Result<HttpResponse, Error> {
    let Question { q, chosen, status, errors } = question;
    let (caller, words) = (admin.clone(), q.clone());
    let (user, last, owned, heirs) = app
        .read(move |conn| {
            let user = service::get(conn, &caller, id)?;
            let last = service::is_last_admin(conn, &user)?;
            let owned = service::owned(conn, id)?.in_words();
            let heirs = if owned.is_some() { service::heirs(conn, &caller, id, &words, OFFERED)? } else { Vec::new() };
            Ok((user, last, owned, heirs))
        })
        .await?;
    let own = admin.user_id();
    let offer = |user: User| Heir {
        id: user.id,
        own: own == Some(user.id),
        // Who asks takes it over, unless somebody else is chosen.
        chosen: chosen.or(own) == Some(user.id),
        username: user.username,
        email: user.email,
    };
    let mut heirs: Vec<Heir> = heirs.into_iter().map(offer).collect();
    // Only one is found: it is meant.
    if let [only] = heirs.as_mut_slice() {
        only.chosen = true;
    }
    let page = UserDeletePage {
        frame: Frame::of(req, app, "users"),
        id,
        username: user.username,
        email: user.email,
        version: user.version,
        owned,
        refused: last.then_some(LAST),
        announce: match heirs.len() {
            0 => "Nobody matches".to_owned(),
            1 => "1 user".to_owned(),
            many => format!("{many} users"),
        },
        q,
        heirs,
        errors,
    };
    page::show_as(status, &page)
}
