//! The JSON door of users.

use actix_web::web::Data;
use actix_web::{HttpResponse, Responder};

use super::store;
use crate::app::App;
use crate::error::Error;
use crate::web::caller::Member;
use crate::web::json;

/// `GET /api/v1/users/me`: who the caller is.
///
/// # Errors
/// 401 when nobody is signed in.
pub async fn me(caller: Member, app: Data<App>) -> Result<impl Responder + use<>, Error> {
    let id = caller.id();
    let user = app.look_up(move |conn| Ok(store::find(conn, id)?)).await?;
    let user = user.ok_or_else(|| Error::missing("User", id))?;
    Ok::<HttpResponse, Error>(json::one("User retrieved successfully", &user.shown()))
}
