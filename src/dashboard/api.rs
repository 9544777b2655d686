//! The JSON door of the figures.

use actix_web::HttpResponse;
use actix_web::http::header;
use actix_web::web::Data;

use super::model::{Audience, Stats};
use super::service;
use crate::app::App;
use crate::error::Error;
use crate::time::Timestamp;
use crate::web::caller::Anyone;
use crate::web::{etag, json};

/// For so many seconds figures are good.
const GOOD: u64 = 60;

/// `GET /api/v1/stats`: the catalogue in figures, at most a minute old (`Age`): for admins of everything, for
/// all others of what everybody may see.
///
/// # Errors
/// 401.
pub async fn stats(caller: Anyone, app: Data<App>) -> Result<HttpResponse, Error> {
    let (audience, name) =
        if caller.is_admin() { (Audience::Admins, "stats:admins") } else { (Audience::Everybody, "stats:everybody") };
    let counted = async {
        let stats: Stats = app.read(move |conn| service::stats(conn, audience, Timestamp::now())).await?;
        json::text_of_one("Statistics retrieved successfully", &stats)
    };
    let kept = app.cache.get(name, GOOD, counted).await?;
    let mut response = HttpResponse::Ok();
    response.content_type("application/json").insert_header((header::AGE, kept.age().to_string()));
    response.insert_header((header::ETAG, etag::of_body(kept.text.as_bytes())));
    if caller.user_id().is_none() {
        response.insert_header((header::CACHE_CONTROL, format!("public, max-age={GOOD}")));
        response.insert_header((header::VARY, "Authorization, X-API-Key"));
    }
    Ok(response.body(kept.text.to_string()))
}
