//! The browser's door of categories, in the order of the routes.

pub mod views;

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::list::{self, Query};
use super::model::{Category, CategoryInput};
use super::service;
use crate::app::{App, KeyUse};
use crate::changes::Expected;
use crate::error::Error;
use crate::fields::{Input, Mode};
use crate::time::Timestamp;
use crate::web::caller::Admin;
use crate::web::form::Form;
use crate::web::list::Params;
use crate::web::page::{self, Frame};
use crate::web::view::{Errors, Heads, Pagination, When, thousands};
use views::{CategoryDeletePage, CategoryFormPage, CategoryHeads, CategoryListPage, CategoryRow};

/// Where the list lies.
const PATH: &str = "/admin/categories";

/// `GET /admin/categories`.
///
/// # Errors
/// 400, 403, 422.
pub async fn list(req: HttpRequest, admin: Admin, app: Data<App>) -> Result<HttpResponse, Error> {
    let params = Params::parse(req.query_string())?;
    let query = Query::parse(&params, PATH, app.key(KeyUse::Cursors))?;
    let listing = app.read(move |conn| list::find(conn, &admin, &query)).await?;
    let heads = Heads::new(PATH, &params, Some(params.get("sort").unwrap_or("name")));
    let now = Timestamp::now();
    let rows: Vec<CategoryRow> = listing
        .rows
        .iter()
        .map(|counted| CategoryRow {
            id: counted.category.id,
            name: counted.category.name.clone(),
            description: counted.category.description.clone().unwrap_or_default(),
            item_count: thousands(counted.item_count),
            updated: When::ago(counted.category.updated_at, now),
        })
        .collect();
    let page = CategoryListPage {
        frame: Frame::of(&req, &app, "categories"),
        heads: CategoryHeads {
            name: heads.sortable("Name", "name"),
            description: heads.plain("Description"),
            items: heads.plain("Items"),
            updated: heads.plain("Updated"),
        },
        pages: Pagination::of(PATH, &params, &listing.window, listing.total.unwrap_or_default(), rows.len()),
        rows,
    };
    page::show(&page)
}

/// `GET /admin/categories/new`.
///
/// # Errors
/// 403.
pub async fn blank(req: HttpRequest, _: Admin, app: Data<App>) -> Result<HttpResponse, Error> {
    draw(&req, &app, None, &Input::from_text([]), StatusCode::OK, Errors::default())
}

/// `POST /admin/categories/new`.
///
/// # Errors
/// 403; mistakes come back with the form.
pub async fn create(req: HttpRequest, admin: Admin, app: Data<App>, form: Form) -> Result<HttpResponse, Error> {
    let input = CategoryInput::read(&form.input);
    match app.write(&admin, move |tx| service::create(tx, input)).await {
        Ok(category) => {
            page::flash_ok(&req, format!("Created {}", category.name));
            Ok(page::see_other(PATH))
        }
        Err(error) => {
            let (status, errors) = page::mistakes(error)?;
            draw(&req, &app, None, &form.input, status, errors)
        }
    }
}

/// `GET /admin/categories/{id}/edit`.
///
/// # Errors
/// 403, 404.
pub async fn edit(req: HttpRequest, admin: Admin, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let category = find(&app, &admin, id.into_inner()).await?;
    let version = category.version.to_string();
    let input = Input::from_text([
        ("name", category.name.as_str()),
        ("description", category.description.as_deref().unwrap_or_default()),
        ("version", version.as_str()),
    ]);
    draw(&req, &app, Some(category.id), &input, StatusCode::OK, Errors::default())
}

/// `POST /admin/categories/{id}/edit`.
///
/// # Errors
/// 403, 404; mistakes, and somebody else's change meanwhile, come back with the form.
pub async fn save(
    req: HttpRequest,
    admin: Admin,
    app: Data<App>,
    id: Path<i64>,
    form: Form,
) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let input = CategoryInput::read(&form.input);
    let seen = form.input.typed("version").parse().map_err(|_| page::unversioned())?;
    let expected = Expected::Versions(vec![seen]);
    match app.write(&admin, move |tx| service::update(tx, id, input, Mode::Replace, &expected)).await {
        Ok(category) => {
            page::flash_ok(&req, format!("Saved {}", category.name));
            Ok(page::see_other(PATH))
        }
        Err(Error::PreconditionFailed(_)) => {
            let now = find(&app, &admin, id).await?;
            let mut errors = Errors::default();
            let description = now.description.as_deref().unwrap_or_default();
            for (field, label, theirs) in
                [("name", "name", now.name.as_str()), ("description", "description", description)]
            {
                if theirs != form.input.typed(field) {
                    let message = format!(
                        "somebody saved another {label} meanwhile: “{theirs}”. Save again to keep yours, or type theirs."
                    );
                    errors.add(field, message);
                }
            }
            if errors.is_empty() {
                // They saved just what was typed here.
                return Ok(page::see_other(PATH));
            }
            let mut input = form.input.clone();
            input.set("version", crate::fields::Raw::Text(now.version.to_string()));
            draw(&req, &app, Some(id), &input, StatusCode::CONFLICT, errors)
        }
        Err(error) => {
            let (status, errors) = page::mistakes(error)?;
            draw(&req, &app, Some(id), &form.input, status, errors)
        }
    }
}

/// `GET /admin/categories/{id}/delete`: the question, or why it cannot be.
///
/// # Errors
/// 403, 404.
pub async fn ask_delete(req: HttpRequest, admin: Admin, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let counted = app.look_up(move |conn| service::get(conn, &admin, id)).await?;
    let in_use = match counted.item_count {
        0 => None,
        1 => Some("1 item is".to_owned()),
        many => Some(format!("{} items are", thousands(many))),
    };
    page::show(&CategoryDeletePage {
        frame: Frame::of(&req, &app, "categories"),
        id,
        name: counted.category.name,
        in_use,
    })
}

/// `POST /admin/categories/{id}/delete`: the act.
///
/// # Errors
/// 403, 404.
pub async fn delete(
    req: HttpRequest,
    admin: Admin,
    app: Data<App>,
    id: Path<i64>,
    _: Form,
) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let category = find(&app, &admin, id).await?;
    match app.write(&admin, move |tx| service::delete(tx, id, &Expected::Unsaid)).await {
        Ok(()) => {
            page::flash_ok(&req, format!("Deleted {}", category.name));
            Ok(page::see_other(PATH))
        }
        // Somebody put an item in after the question was asked: the page says so now.
        Err(Error::Conflict { .. }) => Ok(page::see_other(&format!("{PATH}/{id}/delete"))),
        Err(error) => Err(error),
    }
}

async fn find(app: &App, admin: &Admin, id: i64) -> Result<Category, Error> {
    let admin = admin.clone();
    Ok(app.look_up(move |conn| service::get(conn, &admin, id)).await?.category)
}

fn draw(
    req: &HttpRequest,
    app: &App,
    id: Option<i64>,
    input: &Input,
    status: StatusCode,
    errors: Errors,
) -> Result<HttpResponse, Error> {
    let page = CategoryFormPage {
        frame: Frame::of(req, app, "categories"),
        heading: if id.is_some() { "Edit category" } else { "New category" }.to_owned(),
        action: id.map_or_else(|| format!("{PATH}/new"), |id| format!("{PATH}/{id}/edit")),
        submit: if id.is_some() { "Save changes" } else { "Create category" },
        delete_url: id.map(|id| format!("{PATH}/{id}/delete")),
        name: input.typed("name").to_owned(),
        description: input.typed("description").to_owned(),
        version: input.typed("version").to_owned(),
        errors,
    };
    page::show_as(status, &page)
}
