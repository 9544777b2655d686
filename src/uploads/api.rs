//! The JSON door of uploads, in the order of the routes; of uploads as images of items in `api/images.rs`.

pub mod images;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_files::NamedFile;
use actix_web::http::header::{self, ContentDisposition, DispositionParam, DispositionType, HeaderValue};
use actix_web::rt::task::spawn_blocking;
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};

use super::list;
use super::model::{Shown, Upload, may_create};
use super::receive::receive;
use super::service;
use crate::app::{App, KeyUse};
use crate::changes::Tx;
use crate::error::Error;
use crate::web::caller::{Anyone, Member};
use crate::web::etag;
use crate::web::idempotency::Once;
use crate::web::json::{self, Answer};
use crate::web::list::Params;

/// A file may do nothing where it is shown, whatever it holds.
const NOTHING_RUNS: &str = "sandbox; default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'";

/// `GET /api/v1/uploads`: one's own; to admins all.
///
/// # Errors
/// 400, 401, 422.
pub async fn list(req: HttpRequest, caller: Member, app: Data<App>) -> Result<HttpResponse, Error> {
    let params = Params::parse(req.query_string())?;
    let query = list::Query::parse(&params, req.path(), &caller, app.key(KeyUse::Cursors))?;
    let listing = app.read(move |conn| list::find(conn, &query)).await?;
    json::many("Uploads retrieved successfully", &listing.map(Shown::from))
}

/// `POST /api/v1/uploads`: takes the file of the multipart field `file`.
///
/// # Errors
/// 400, 401, 403, 408, 409 over one's quota, 413 as soon as it is too large, 415, 422.
pub async fn create(
    req: HttpRequest,
    caller: Member,
    app: Data<App>,
    once: Once,
    payload: Payload,
) -> Result<HttpResponse, Error> {
    may_create(&caller)?;
    let (owner, quota) = (caller.id(), app.config.upload_quota_bytes);
    // Who has no room left at all need not send anything.
    app.look_up(move |conn| service::check_quota(conn, owner, 1, quota)).await?;
    let new = receive(&req, payload.into_inner(), &app.storage, app.config.max_upload_bytes).await?;
    // The same file comes with another boundary each time.
    once.body_is(format!("{} {}", new.sha256, new.filename).as_bytes());
    let key = new.key.clone();
    let made = Arc::new(AtomicBool::new(false));
    let noted = Arc::clone(&made);
    let work = move |tx: &mut Tx<'_>| {
        let upload = service::create(tx, &new, quota)?;
        noted.store(true, Ordering::Release);
        Ok(upload)
    };
    let show = |upload: &Upload| {
        let location = format!("/api/v1/uploads/{}", upload.id);
        Answer::created("File uploaded successfully", &Shown::from(upload), location, upload.version)
    };
    let answer = once.write(&app, &caller, work, show).await;
    if !made.load(Ordering::Acquire) {
        // Refused, or answered as before: nobody knows this file.
        remove(&app, key).await;
    }
    answer
}

async fn remove(app: &App, key: String) {
    let storage = app.storage.clone();
    let removed = spawn_blocking(move || storage.remove(&key)).await;
    if !matches!(removed, Ok(Ok(()))) {
        log::warn!("a file that no upload has could not be removed; the next start will");
    }
}

/// `GET /api/v1/uploads/{id}`: what is known of a file.
///
/// # Errors
/// 401, 404.
pub async fn get(caller: Anyone, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let upload = find(&caller, &app, id.into_inner()).await?;
    Ok(json::versioned("Upload retrieved successfully", &Shown::from(&upload), upload.version))
}

/// `DELETE /api/v1/uploads/{id}`: one that is attached to nothing.
///
/// # Errors
/// 401, 403, 404, 409, 412, 428.
pub async fn delete(req: HttpRequest, caller: Member, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let expected = etag::expected(&req, &app)?;
    let id = id.into_inner();
    app.write(&caller, move |tx| service::delete(tx, id, &expected)).await?;
    Ok(HttpResponse::NoContent().insert_header((header::CACHE_CONTROL, "no-store")).finish())
}

/// `GET /api/v1/uploads/{id}/content`: the file itself, or a range of it (RFC 9110, 14).
///
/// # Errors
/// 401, 404, 416.
pub async fn content(req: HttpRequest, caller: Anyone, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let upload = find(&caller, &app, id.into_inner()).await?;
    let (key, tag) = (upload.key.clone(), format!("\"{}\"", upload.sha256));
    serve(&req, &app, &key, &upload.content_type, &tag, &upload)
}

/// `GET /api/v1/uploads/{id}/thumbnail`: a small picture of an image, at most 400 pixels wide and high. It is there
/// some seconds after the image; until then 404 with `Retry-After`.
///
/// # Errors
/// 401, 404.
pub async fn thumbnail(req: HttpRequest, caller: Anyone, app: Data<App>, id: Path<i64>) -> Result<HttpResponse, Error> {
    let upload = find(&caller, &app, id.into_inner()).await?;
    match upload.thumbnail.as_deref() {
        Some(media_type) if !media_type.is_empty() => {
            let tag = format!("\"{}-thumbnail\"", upload.sha256);
            serve(&req, &app, &upload.thumbnail_key(), media_type, &tag, &upload)
        }
        None if upload.is_image() => {
            let detail = "The thumbnail is being made. Ask again in a second.".to_owned();
            let mut answer = HttpResponse::from_error(Error::NotFound(detail));
            answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            answer.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
            Ok(answer)
        }
        _ => Err(Error::NotFound(format!("Upload {} has no thumbnail.", upload.id))),
    }
}

async fn find(caller: &Anyone, app: &App, id: i64) -> Result<Upload, Error> {
    let caller = caller.clone();
    app.look_up(move |conn| service::get(conn, &caller, id)).await
}

/// A file of the storage as an answer: images are shown, everything else is saved.
fn serve(
    req: &HttpRequest,
    app: &App,
    key: &str,
    media_type: &str,
    tag: &str,
    upload: &Upload,
) -> Result<HttpResponse, Error> {
    let file = app.storage.open(key).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Error::NotFound(format!("The file of upload {} is gone.", upload.id)),
        _ => Error::Internal(format!("the file of upload {} cannot be opened: {error}", upload.id)),
    })?;
    let media_type = media_type.parse().map_err(|_| Error::Internal(format!("{media_type} is no media type")))?;
    let disposition = if upload.is_image() { DispositionType::Inline } else { DispositionType::Attachment };
    let disposition = ContentDisposition {
        disposition,
        parameters: vec![DispositionParam::FilenameExt(header::ExtendedValue {
            charset: header::Charset::Ext("UTF-8".to_owned()),
            language_tag: None,
            value: upload.filename.clone().into_bytes(),
        })],
    };
    let file = NamedFile::from_file(file, "upload")
        .map_err(|error| Error::Internal(format!("the file of upload {} cannot be read: {error}", upload.id)))?
        .use_etag(false)
        .use_last_modified(false)
        .set_content_type(media_type)
        .set_content_disposition(disposition);
    let mut answer = file.into_response(req);
    let headers = answer.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(NOTHING_RUNS));
    Ok(answer)
}
