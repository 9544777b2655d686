//! One item: what there is to say of it, and the question before it is deleted.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::views::{ItemDeletePage, ItemDetail, ItemShowPage};
use super::{PATH, money};
use crate::app::App;
use crate::categories;
use crate::changes::Expected;
use crate::error::Error;
use crate::items::{service, store};
use crate::time::Timestamp;
use crate::web::caller::Admin;
use crate::web::form::Form;
use crate::web::page::{self, Frame};
use crate::web::view::{When, per_cent};

/// `GET /admin/items/{id}`.
///
/// # Errors
/// 403, 404.
pub async fn show(req: HttpRequest, admin: Admin, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let (item, category, owner) = app
        .look_up(move |conn| {
            let item = service::get(conn, &admin, id)?;
            let category = categories::store::find(conn, item.category_id)?;
            let owner = store::owner_name(conn, item.owner_id)?;
            Ok((item, category, owner))
        })
        .await?;
    let now = Timestamp::now();
    let detail = ItemDetail {
        id,
        price: money(&item),
        tax_rate: per_cent(item.tax_rate),
        name: item.name,
        sku: item.sku.unwrap_or_default(),
        description: item.description.unwrap_or_default(),
        category: category.map_or_else(String::new, |c| c.name),
        category_id: item.category_id,
        is_active: item.is_active,
        owner: owner.unwrap_or_default(),
        version: item.version,
        created: When::ago(item.created_at, now),
        updated: When::ago(item.updated_at, now),
    };
    page::show(&ItemShowPage { frame: Frame::of(&req, &app, "items"), item: detail })
}

/// `GET /admin/items/{id}/delete`: the question.
///
/// # Errors
/// 403, 404.
pub async fn ask_delete(req: HttpRequest, admin: Admin, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let item = app.look_up(move |conn| service::get(conn, &admin, id)).await?;
    let frame = Frame::of(&req, &app, "items");
    page::show(&ItemDeletePage { frame, id, name: item.name, sku: item.sku.unwrap_or_default(), version: item.version })
}

/// `POST /admin/items/{id}/delete`: the act. What was changed after the question was asked is asked again.
///
/// # Errors
/// 403, 404.
pub async fn delete(
    req: HttpRequest,
    admin: Admin,
    app: Data<App>,
    id: Path<i64>,
    form: Form,
) -> Result<HttpResponse, Error> {
    let id = id.into_inner();
    let expected = match form.input.typed("version").parse() {
        Ok(version) => Expected::Versions(vec![version]),
        Err(_) => Expected::Unsaid,
    };
    match app.write(&admin, move |tx| service::delete(tx, id, &expected)).await {
        Ok(item) => {
            page::flash_ok(&req, format!("Deleted {}", item.name));
            Ok(page::see_other(PATH))
        }
        Err(Error::PreconditionFailed(_)) => {
            page::flash_error(&req, "Somebody changed this item just now. Look at it again before you delete it.");
            Ok(page::see_other(&format!("{PATH}/{id}/delete")))
        }
        Err(error) => Err(error),
    }
}
