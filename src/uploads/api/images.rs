//! The JSON door of the images of items: here and not with the items, which do not know uploads.

use actix_web::http::header;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use crate::app::App;
use crate::changes::Tx;
use crate::error::Error;
use crate::items;
use crate::uploads::service::images;
use crate::web::caller::Member;
use crate::web::etag;
use crate::web::json::{self, OptionalObject};

/// `PUT /api/v1/items/{id}/images/{upload_id}`: puts an upload on an item as its image, last or at the `position`
/// that the body may name, from 1. One that is there goes to that place; without one it stays where it is.
///
/// # Errors
/// 400, 401, 403, 404, 409, 412, 415, 422, 428.
pub async fn put(
    req: HttpRequest,
    caller: Member,
    app: Data<App>,
    ids: Path<(i64, i64)>,
    body: OptionalObject,
) -> Result<HttpResponse, Error> {
    let expected = etag::expected(&req, &app)?;
    let (item, upload) = ids.into_inner();
    let work = move |tx: &mut Tx<'_>| images::attach(tx, item, upload, &body.0, &expected);
    let item = app.write(&caller, work).await?;
    Ok(json::versioned("Item updated successfully", &item, item.version))
}

/// `DELETE /api/v1/items/{id}/images/{upload_id}`: takes an image off an item; the upload stays.
///
/// # Errors
/// 401, 403, 404, 412, 428.
pub async fn delete(
    req: HttpRequest,
    caller: Member,
    app: Data<App>,
    ids: Path<(i64, i64)>,
) -> Result<HttpResponse, Error> {
    let expected = etag::expected(&req, &app)?;
    let (item, upload) = ids.into_inner();
    app.write(&caller, move |tx| items::service::images::remove(tx, item, upload, &expected)).await?;
    Ok(HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, "no-store")).finish())
}
