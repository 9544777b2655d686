//! One user: who it is, what they may do, what was done with them.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::PATH;
use super::views::{UserDetail, UserShowPage};
use crate::app::App;
use crate::changes::{Entity, history};
use crate::error::Error;
use crate::fields::FieldErrors;
use crate::items;
use crate::time::Timestamp;
use crate::users::model::{FIELDS, Status};
use crate::users::service;
use crate::web::caller::Admin;
use crate::web::difference::plain;
use crate::web::history::History;
use crate::web::list::{Params, Window};
use crate::web::page::{self, Frame};
use crate::web::view::{When, thousands};

/// What the changesets say by themselves, by the fields that changed.
const PLAIN: [&str; 2] = ["Updated user", "Created user"];

/// `GET /admin/users/{id}`, with a page of its history.
///
/// # Errors
/// 400, 403, 404.
pub async fn show(req: HttpRequest, admin: Admin, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let params = Params::parse(req.query_string())?;
    let window = Window::parse(&params, &mut FieldErrors::default())?;
    let (skip, limit) = window.span();
    let own = admin.user_id() == Some(id);
    let (user, last_admin, owned, entries) = app
        .read(move |conn| {
            let user = service::get(conn, &admin, id)?;
            let last = service::is_last_admin(conn, &user)?;
            let owned = items::store::count_of(conn, id)?;
            Ok((user, last, owned, history::of(conn, Entity::User, id, skip, limit + 1)?))
        })
        .await?;
    let now = Timestamp::now();
    let status = user.status();
    let telling = |summary: &str| !PLAIN.iter().any(|plain| summary.starts_with(plain));
    let page = UserShowPage {
        frame: Frame::of(&req, &app, "users"),
        history: History::of(
            &format!("{PATH}/{id}"),
            &params,
            &window,
            entries,
            &FIELDS,
            |_, value| Some(plain(value)),
            telling,
        ),
        user: UserDetail {
            id,
            status: status.into(),
            is_active: user.is_active,
            invited: status == Status::Invited,
            username: user.username,
            full_name: user.full_name.unwrap_or_default(),
            email: user.email,
            age: user.age.map_or_else(String::new, |age| age.to_string()),
            website: user.website.unwrap_or_default(),
            role: user.role,
            items: thousands(owned),
            version: user.version,
            created: When::ago(user.created_at, now),
            updated: When::ago(user.updated_at, now),
            last_login: user.last_login_at.map(|at| When::ago(at, now)),
            own,
            last_admin,
        },
    };
    page::show(&page)
}
