//! Whether the server lives and can work: for load balancers and for people.

use actix_web::web::Data;
use actix_web::{HttpResponse, http::header};
use serde::Serialize;

use super::json;
use crate::app::App;
use crate::db::effects;

#[derive(Serialize)]
struct Health<'h> {
    status: &'h str,
    database: &'h str,
    version: &'h str,
}

/// `GET /health`: 200 and what there is, or 503. A row is read, so that a database without its tables is none.
pub async fn health(app: Data<App>) -> HttpResponse {
    let reached = app.look_up(|conn| Ok(effects::counter(conn, "items")?)).await;
    let report = |status| Health { status, database: app.db.name(), version: env!("CARGO_PKG_VERSION") };
    let mut response = match reached {
        Ok(_) => json::answer(HttpResponse::Ok(), &report("ok")),
        Err(error) => {
            log::warn!("health: {error}");
            let mut unwell = HttpResponse::ServiceUnavailable();
            unwell.insert_header((header::RETRY_AFTER, "2"));
            json::answer(unwell, &report("unavailable"))
        }
    };
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

/// `GET /health/ready`: whether requests can be answered.
pub async fn ready(app: Data<App>) -> HttpResponse {
    health(app).await
}

/// `GET /health/live`: whether the process answers at all; it asks nothing of the database.
pub async fn live() -> HttpResponse {
    HttpResponse::Ok().insert_header((header::CACHE_CONTROL, "no-store")).json(serde_json::json!({"status": "ok"}))
}
