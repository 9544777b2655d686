//! The browser's door of users: the list here, one user in `pages/one.rs`, its forms in `pages/edit.rs`, what
//! takes something away from one in `pages/acts.rs` and `pages/remove.rs`.

pub mod acts;
pub mod edit;
pub mod one;
pub mod remove;
pub mod views;

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};

use super::list::{self, Query};
use super::model::{Status, User};
use super::service;
use super::store::page::Order;
use crate::app::{App, KeyUse};
use crate::caller::Role;
use crate::error::Error;
use crate::time::Timestamp;
use crate::web::caller::Admin;
use crate::web::list::{Params, Window};
use crate::web::page::{self, Frame};
use crate::web::view::{Chip, Choice, Errors, Heads, Pagination, When, thousands, url};
use views::{StatusView, UserFilters, UserHeads, UserListPage, UserRow};

/// Where the list lies.
pub const PATH: &str = "/admin/users";

/// `GET /admin/users`.
///
/// # Errors
/// 400 for a query string that cannot be read, 403.
pub async fn list(req: HttpRequest, admin: Admin, app: Data<App>) -> Result<HttpResponse, Error> {
    let params = Params::parse(req.query_string())?;
    let status_asked = Status::ALL.into_iter().find(|status| params.get("status") == Some(status.as_str()));
    let by_name = ("username", Order::Username);
    let (query, errors, status) = match Query::parse_or(&params, PATH, app.key(KeyUse::Cursors), by_name) {
        Ok(query) => (Some(query.only(status_asked)), Errors::default(), StatusCode::OK),
        Err(error) => {
            let (status, errors) = page::mistakes(error)?;
            (None, errors, status)
        }
    };
    let (rows, total, window) = match query {
        Some(query) => {
            let listing = app.read(move |conn| list::find(conn, &query)).await?;
            (listing.rows, listing.total.unwrap_or_default(), listing.window)
        }
        None => (Vec::new(), 0, Window::Page { page: 1, size: 20 }),
    };
    let heads = Heads::new(PATH, &params, Some(params.get("sort").unwrap_or("username")));
    let now = Timestamp::now();
    let chips = chips(&params, status_asked);
    let shown = UserListPage {
        frame: Frame::of(&req, &app, "users"),
        filters: UserFilters {
            q: params.get("q").unwrap_or_default().to_owned(),
            roles: roles(params.get("role")),
            statuses: statuses(status_asked),
            sort: params.get("sort").unwrap_or_default().to_owned(),
            page_size: params.get("page_size").unwrap_or_default().to_owned(),
        },
        errors,
        heads: UserHeads {
            username: heads.sortable("Username", "username"),
            email: heads.sortable("E-mail", "email"),
            role: heads.plain("Role"),
            status: heads.plain("Status"),
            last_login: heads.sortable("Last sign-in", "last_login_at"),
            created: heads.sortable("Created", "created_at"),
        },
        pages: Pagination::of(PATH, &params, &window, total, rows.len()),
        announce: match total {
            0 => "Nobody matches".to_owned(),
            1 => "1 user".to_owned(),
            many => format!("{} users", thousands(many)),
        },
        alone: total == 1 && chips.is_empty(),
        chips,
        rows: rows.into_iter().map(|user| row(user, admin.user_id(), now)).collect(),
    };
    page::show_as(status, &shown)
}

fn chips(params: &Params, status: Option<Status>) -> Vec<Chip> {
    let label = |name: &str, value: &str| match name {
        "q" => format!("“{value}”"),
        "role" => format!("Role: {value}"),
        _ => StatusView::from(status.unwrap_or(Status::Active)).word.to_owned(),
    };
    ["q", "role", "status"]
        .into_iter()
        .filter(|name| *name != "status" || status.is_some())
        .filter_map(|name| {
            let value = params.get(name)?;
            Some(Chip { label: label(name, value), clear_url: url(PATH, &params.with(name, "")) })
        })
        .collect()
}

/// The roles as options, the chosen one selected.
fn roles(chosen: Option<&str>) -> Vec<Choice> {
    let choice = |role: Role| Choice {
        value: role.to_string(),
        label: match role {
            Role::Admin => "Admin",
            Role::User => "User",
            Role::Guest => "Guest",
        }
        .to_owned(),
        selected: chosen == Some(role.as_str()),
    };
    Role::ALL.into_iter().map(choice).collect()
}

fn statuses(chosen: Option<Status>) -> Vec<Choice> {
    let choice = |status: Status| Choice {
        value: status.as_str().to_owned(),
        label: StatusView::from(status).word.to_owned(),
        selected: chosen == Some(status),
    };
    Status::ALL.into_iter().map(choice).collect()
}

fn row(user: User, own: Option<i64>, now: Timestamp) -> UserRow {
    UserRow {
        id: user.id,
        status: user.status().into(),
        own: own == Some(user.id),
        username: user.username,
        full_name: user.full_name.unwrap_or_default(),
        email: user.email,
        role: user.role,
        last_login: user.last_login_at.map(|at| When::ago(at, now)),
        created: When::ago(user.created_at, now),
    }
}

/// A user that an admin looks at.
async fn find(app: &App, admin: &Admin, id: i64) -> Result<User, Error> {
    let admin = admin.clone();
    app.look_up(move |conn| service::get(conn, &admin, id)).await
}

/// A user that an admin looks at, and whether it is the last active admin.
async fn find_and_whether_last(app: &App, admin: &Admin, id: i64) -> Result<(User, bool), Error> {
    let admin = admin.clone();
    app.look_up(move |conn| {
        let user = service::get(conn, &admin, id)?;
        let last = service::is_last_admin(conn, &user)?;
        Ok((user, last))
    })
    .await
}
