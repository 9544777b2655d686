//! The form of an item, new or old.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::views::{ItemFormPage, ItemValues};
use super::{PATH, choices, conflict};
use crate::app::App;
use crate::categories;
use crate::categories::model::Category;
use crate::changes::Expected;
use crate::error::Error;
use crate::fields::{Input, Mode};
use crate::items::model::{Item, ItemInput};
use crate::items::service;
use crate::web::caller::Admin;
use crate::web::form::Form;
use crate::web::page::{self, Frame};
use crate::web::view::Errors;

/// `GET /admin/items/new`.
///
/// # Errors
/// 403.
pub async fn blank(req: HttpRequest, _: Admin, app: Data<App>) -> Result<HttpResponse, Error> {
    let values =
        ItemValues { currency: "USD".to_owned(), tax_rate: "0".to_owned(), is_active: true, ..ItemValues::default() };
    draw(&req, &app, None, values, None, StatusCode::OK, Errors::default()).await
}

/// `POST /admin/items/new`.
///
/// # Errors
/// 403; mistakes come back with the form.
pub async fn create(req: HttpRequest, admin: Admin, app: Data<App>, mut form: Form) -> Result<HttpResponse, Error> {
    page::checkbox(&mut form.input, "is_active");
    // The form has no such fields; what the server sets is not taken from it.
    let input = read(&form.input);
    match app.write(&admin, move |tx| service::create(tx, input)).await {
        Ok(item) => {
            page::flash_ok(&req, format!("Created {}", item.name));
            Ok(page::see_other(&format!("{PATH}/{}", item.id)))
        }
        Err(error) => {
            let (status, errors) = page::mistakes(error)?;
            draw(&req, &app, None, typed(&form.input), category_of(&form.input), status, errors).await
        }
    }
}

/// `GET /admin/items/{id}/edit`.
///
/// # Errors
/// 403, 404.
pub async fn edit(req: HttpRequest, admin: Admin, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let item = app.look_up(move |conn| service::get(conn, &admin, id)).await?;
    let (values, category) = (ItemValues::of(&item), Some(item.category_id));
    draw(&req, &app, Some(item), values, category, StatusCode::OK, Errors::default()).await
}

/// `POST /admin/items/{id}/edit`: saves, or shows both versions when somebody saved meanwhile.
///
/// # Errors
/// 403, 404; mistakes come back with the form.
pub async fn save(
    req: HttpRequest,
    admin: Admin,
    app: Data<App>,
    id: Path<i64>,
    mut form: Form,
) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    if form.input.typed("resolve") == "yes" {
        let current = {
            let admin = admin.clone();
            app.look_up(move |conn| service::get(conn, &admin, id)).await?
        };
        form.input = conflict::chosen(&form.input, &current);
    }
    page::checkbox(&mut form.input, "is_active");
    let seen = form.input.typed("version").parse().map_err(|_| page::unversioned())?;
    let expected = Expected::Versions(vec![seen]);
    let input = read(&form.input);
    match app.write(&admin, move |tx| service::update(tx, id, input, Mode::Replace, &expected)).await {
        Ok(item) => {
            page::flash_ok(&req, format!("Saved {}", item.name));
            Ok(page::see_other(&format!("{PATH}/{id}")))
        }
        // Nothing that was typed is lost: it can be saved as a new item.
        Err(Error::NotFound(_)) => {
            let mut errors = Errors::default();
            errors
                .add("", "Somebody deleted this item meanwhile. Saving makes a new one of what you typed.".to_owned());
            let values = ItemValues { version: String::new(), ..typed(&form.input) };
            draw(&req, &app, None, values, category_of(&form.input), StatusCode::CONFLICT, errors).await
        }
        Err(Error::PreconditionFailed(_)) => conflict::show(&req, &admin, &app, id, &form.input).await,
        Err(error) => {
            let (status, errors) = page::mistakes(error)?;
            let item = app.look_up(move |conn| service::get(conn, &admin, id)).await?;
            draw(&req, &app, Some(item), typed(&form.input), category_of(&form.input), status, errors).await
        }
    }
}

/// The form's own fields; `version` is the form's word for `If-Match` and no field of the item.
fn read(input: &Input) -> ItemInput {
    let names = ["name", "sku", "description", "price", "currency", "tax_rate", "category_id", "is_active"];
    ItemInput::read(&Input::from_text(names.map(|name| (name, input.typed(name)))))
}

fn category_of(input: &Input) -> Option<i64> {
    input.typed("category_id").parse().ok()
}

fn typed(input: &Input) -> ItemValues {
    let text = |name: &str| input.typed(name).to_owned();
    ItemValues {
        name: text("name"),
        sku: text("sku"),
        description: text("description"),
        price: text("price"),
        currency: text("currency"),
        tax_rate: text("tax_rate"),
        is_active: matches!(input.typed("is_active"), "true" | "on" | "1"),
        version: text("version"),
    }
}

async fn draw(
    req: &HttpRequest,
    app: &App,
    item: Option<Item>,
    values: ItemValues,
    category: Option<i64>,
    status: StatusCode,
    errors: Errors,
) -> Result<HttpResponse, Error> {
    let categories: Vec<Category> = app.look_up(|conn| Ok(categories::store::all(conn)?)).await?;
    let at = item.as_ref().map_or_else(|| PATH.to_owned(), |item| format!("{PATH}/{}", item.id));
    let form = ItemFormPage {
        frame: Frame::of(req, app, "items"),
        heading: if item.is_some() { "Edit item" } else { "New item" }.to_owned(),
        action: format!("{at}/{}", if item.is_some() { "edit" } else { "new" }),
        submit: if item.is_some() { "Save changes" } else { "Create item" },
        delete_url: item.as_ref().map(|_| format!("{at}/delete")),
        item_name: item.map(|item| item.name),
        cancel_url: at,
        values,
        categories: choices(&categories, category),
        errors,
    };
    page::show_as(status, &form)
}
