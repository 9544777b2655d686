//! The stylesheet, the scripts and the icons. A release build has them inside, compressed beforehand, under
//! an address that changes with their content; a debug build serves the folder, so that an edit shows at once.

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};
use rust_embed_for_web::{EmbedableFile as _, RustEmbed};

use super::compress::Encoding;
use crate::error::Error;

/// The folder that a debug build serves.
pub const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/static");

/// Where pages find them: `/static/` and a hash of everything in the folder, made by `build.rs`.
pub const BASE: &str =
    if cfg!(debug_assertions) { "/static/dev" } else { concat!("/static/", env!("STOCKROOM_ASSETS")) };

#[derive(RustEmbed)]
#[folder = "static/"]
struct Embedded;

/// `GET /static/{version}/{file}`: never changes under its address.
///
/// # Errors
/// 404 for a file that is not there.
pub async fn file(req: HttpRequest, path: web::Path<(String, String)>) -> Result<HttpResponse, Error> {
    let (version, name) = path.into_inner();
    let file = Embedded::get(&name).ok_or_else(|| Error::NotFound("There is no such file.".to_owned()))?;
    let accept = req.headers().get(header::ACCEPT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let (encoding, body) = match (Encoding::negotiate(accept), file.data_br(), file.data_gzip()) {
        (Some(_), Some(br), _) if accept.contains("br") => (Some("br"), br),
        (Some(_), _, Some(gzip)) if accept.contains("gzip") => (Some("gzip"), gzip),
        _ => (None, file.data()),
    };
    // A page of another version (a deployment under way) gets what there is, but must not keep it as its own.
    let current = version == env!("STOCKROOM_ASSETS");
    let policy = if current { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = HttpResponse::Ok();
    response
        .content_type(mime_guess::from_path(&name).first_or_octet_stream().to_string())
        .insert_header((header::CACHE_CONTROL, policy))
        .insert_header((header::VARY, "Accept-Encoding"));
    if let Some(encoding) = encoding {
        response.insert_header((header::CONTENT_ENCODING, encoding));
    }
    Ok(response.body(AsRef::<[u8]>::as_ref(&body).to_vec()))
}
