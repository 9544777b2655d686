//! One's own sessions: ending one, ending all others.

use actix_session::Session;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::auth::service::sessions as service;
use crate::auth::sessions;
use crate::error::Error;
use crate::web::caller::Member;
use crate::web::form::Form;
use crate::web::page;

/// Where the list of sessions lies.
const LIST: &str = "/admin/account#sessions";

/// `POST /admin/account/sessions/end`: one of them, named by `session`. This one is signed out.
///
/// # Errors
/// 403 for a form that is not ours, 404 for what names no session.
pub async fn end(
    req: HttpRequest,
    member: Member,
    app: Data<App>,
    session: Session,
    form: Form,
) -> Result<HttpResponse, Error> {
    let id = form.verbatim("session").to_owned();
    if sessions::own_id(&session).as_deref() == Some(id.as_str()) {
        session.purge();
        return Ok(page::see_other("/admin/login"));
    }
    service::end(&app, &member, id).await?;
    page::flash_ok(&req, "Ended the session");
    Ok(page::see_other(LIST))
}

/// `POST /admin/account/sessions/end-others`.
///
/// # Errors
/// 403 for a form that is not ours.
pub async fn end_others(
    req: HttpRequest,
    member: Member,
    app: Data<App>,
    session: Session,
    _: Form,
) -> Result<HttpResponse, Error> {
    let own = sessions::own_id(&session).ok_or_else(|| Error::Internal("this session has no id".to_owned()))?;
    let user = service::end_others(&app, &member, own).await?;
    sessions::go_on(&session, &user)?;
    page::flash_ok(&req, "Ended every other session and token");
    Ok(page::see_other(LIST))
}
