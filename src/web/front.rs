//! What is around every request, in one layer since each costs: the request's id, the look of every failure
//! (also of the framework's own and of panics), security headers, 304, compression, timing and the log line.

use std::future::pending;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use actix_http::ConnectionType;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{self, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{HttpResponse, ResponseError as _};
use askama::Template as _;
use futures_util::FutureExt as _;

use super::page::{ErrorPage, Frame};
use super::wire::{self, Body, Serving};
use super::{compress, etag, headers, host, request_id};
use crate::app::App;
use crate::error::{Error, Problem, Reason};

/// A longer request target is refused: 8 KiB.
const LONGEST_TARGET: usize = 8_192;

/// What must be remembered of the request until its answer.
struct Visit {
    started: Instant,
    id: Arc<str>,
    app: Option<Data<App>>,
    method: Method,
    path: String,
    is_api: bool,
    credential: bool,
    accept_encoding: Option<HeaderValue>,
    if_none_match: Option<HeaderValue>,
    theme: String,
    chunked: bool,
    serving: Option<Serving>,
}

/// The layer.
///
/// # Errors
/// Never on its own: a failure inside becomes an answer, which actix passes on as an error when the
/// request itself is gone.
pub async fn front(
    req: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<Body>, actix_web::Error> {
    if wire::of(req.request()).is_some_and(|connection| connection.is_over()) {
        return pending().await;
    }
    let visit = Visit::of(&req);
    if let Err(error) = visit.check(&req) {
        let response = visit.finish(HttpResponse::from_error(error));
        return Ok(req.into_response(response));
    }
    match AssertUnwindSafe(next.call(req)).catch_unwind().await {
        Ok(Ok(response)) => {
            let (req, response) = response.into_parts();
            Ok(ServiceResponse::new(req, visit.finish(response.map_into_boxed_body())))
        }
        Ok(Err(error)) => {
            let response = error.error_response();
            Err(InternalError::from_response("", visit.finish(response).map_body(|_, body| BoxBody::new(body))).into())
        }
        Err(_) => {
            let error = Error::Internal("a handler panicked".to_owned());
            let response = visit.finish(error.error_response());
            Err(InternalError::from_response("", response.map_body(|_, body| BoxBody::new(body))).into())
        }
    }
}

impl Visit {
    fn of(req: &ServiceRequest) -> Self {
        let id = request_id::assign(req);
        let path = req.path().to_owned();
        let sent = req.headers();
        let is_api = path == "/api" || path.starts_with("/api/");
        let theme = if is_api { String::new() } else { super::page::theme(req.request()) };
        Self {
            started: Instant::now(),
            id,
            app: req.app_data::<Data<App>>().cloned(),
            method: req.method().clone(),
            is_api,
            path,
            credential: sent.contains_key(header::AUTHORIZATION)
                || sent.contains_key(super::caller::API_KEY)
                || sent.contains_key(header::COOKIE),
            accept_encoding: sent.get(header::ACCEPT_ENCODING).cloned(),
            if_none_match: sent.get(header::IF_NONE_MATCH).cloned(),
            theme,
            chunked: sent.contains_key(header::TRANSFER_ENCODING),
            serving: wire::of(req.request()).map(|connection| {
                Serving::begin(Rc::clone(connection), req.head().connection_type() == ConnectionType::Close)
            }),
        }
    }

    /// What is refused whatever it asks for.
    fn check(&self, req: &ServiceRequest) -> Result<(), Error> {
        if req.uri().path_and_query().is_some_and(|target| target.as_str().len() > LONGEST_TARGET) {
            return Err(Error::UriTooLong);
        }
        host::check(req, self.app.as_ref().and_then(|app| app.config.base_url.as_deref()))
    }

    fn finish(mut self, response: HttpResponse<BoxBody>) -> HttpResponse<Body> {
        let response = self.as_failure(response);
        let response = self.as_not_modified(response);
        let accept = self.accept_encoding.as_ref().and_then(|v| v.to_str().ok());
        let mut response = compress::apply(response, accept);
        self.set_headers(&mut response);
        self.log(&response);
        if let Some(serving) = &mut self.serving {
            serving.answer(&self.method, response.status(), response.body().size());
            // The end of a chunked body that nobody reads may never come.
            if response.status() == StatusCode::REQUEST_TIMEOUT || (self.chunked && !serving.is_read()) {
                serving.hang_up();
                response.head_mut().set_connection_type(ConnectionType::Close);
            }
        }
        response.map_body(|_, body| Body::new(body, self.serving))
    }

    /// Draws a failure that has no face yet.
    fn as_failure(&self, mut response: HttpResponse<BoxBody>) -> HttpResponse<BoxBody> {
        let status = response.status();
        if !(status.is_client_error() || status.is_server_error()) {
            return response;
        }
        let problem = response.extensions_mut().remove::<Problem>();
        let drawn = response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|v| v.to_str().ok())
            .is_some_and(|kind| kind.starts_with("text/html") || kind.starts_with("application/json"));
        if problem.is_none() && drawn {
            return response;
        }
        let mut problem = problem.unwrap_or_else(|| Problem::of_status(status));
        problem.request_id = self.id.to_string();
        let (kind, body) = if self.is_api {
            ("application/problem+json", serde_json::to_string(&problem).unwrap_or_default())
        } else {
            ("text/html; charset=utf-8", self.error_page(&problem))
        };
        let mut response = response.set_body(BoxBody::new(body));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        if !self.is_api {
            response.headers_mut().remove(header::WWW_AUTHENTICATE);
        }
        response
    }

    fn error_page(&self, problem: &Problem) -> String {
        // Who may not enter this page may not enter that of the items either.
        let inside = self.path.starts_with("/admin/") && !matches!(problem.status, 401 | 403);
        let page = ErrorPage {
            frame: Frame {
                app_name: self.app.as_ref().map_or_else(String::new, |app| app.config.app_name.clone()),
                assets: super::assets::BASE.to_owned(),
                theme: self.theme.clone(),
                ..Frame::default()
            },
            status: problem.status,
            title: problem.title.clone(),
            detail: problem.detail.clone(),
            request_id: self.id.to_string(),
            back_url: if inside { "/admin/items" } else { "/admin" }.to_owned(),
            back_label: if inside { "Back to items" } else { "Go to the start" }.to_owned(),
        };
        page.render().unwrap_or_else(|_| problem.detail.clone())
    }

    fn as_not_modified(&self, response: HttpResponse<BoxBody>) -> HttpResponse<BoxBody> {
        let readable = response.status() == StatusCode::OK && matches!(self.method, Method::GET | Method::HEAD);
        let known = self.if_none_match.as_ref().and_then(|v| v.to_str().ok());
        let tag = response.headers().get(header::ETAG).and_then(|v| v.to_str().ok());
        match (readable, known, tag) {
            (true, Some(known), Some(tag)) if etag::is_known(known, tag) => {
                let (mut head, _) = response.into_parts();
                *head.status_mut() = StatusCode::NOT_MODIFIED;
                head.headers_mut().remove(header::CONTENT_TYPE);
                head.set_body(BoxBody::new(()))
            }
            _ => response,
        }
    }

    fn set_headers(&self, response: &mut HttpResponse<BoxBody>) {
        let status = response.status();
        let headers = response.headers_mut();
        headers::secure(headers, self.app.as_ref().is_some_and(|app| app.config.is_https()));
        if let Ok(id) = HeaderValue::from_str(&self.id) {
            headers.insert(request_id::HEADER, id);
        }
        if !headers.contains_key(header::CACHE_CONTROL) {
            // What a credential was used for is nobody else's; what everybody may read is the same for a while.
            let public = self.is_api
                && !self.credential
                && (status.is_success() || status == StatusCode::NOT_MODIFIED)
                && matches!(self.method, Method::GET | Method::HEAD);
            let policy = if public { "public, max-age=5" } else { "no-store" };
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(policy));
            if public {
                headers.append(header::VARY, HeaderValue::from_static("Authorization, X-API-Key"));
            }
        }
        let micros = self.started.elapsed().as_micros();
        let (seconds, rest) = (micros / 1_000_000, micros % 1_000_000);
        if let Ok(value) = HeaderValue::from_str(&format!("{seconds}.{rest:06}")) {
            headers.insert(HeaderName::from_static("x-process-time"), value);
        }
        if let Ok(value) = HeaderValue::from_str(&format!("total;dur={}.{:03}", micros / 1_000, micros % 1_000)) {
            headers.insert(HeaderName::from_static("server-timing"), value);
        }
    }

    fn log(&self, response: &HttpResponse<BoxBody>) {
        let status = response.status();
        if status.is_server_error() {
            let reason = response.extensions().get::<Reason>().map_or_else(String::new, |r| r.0.clone());
            log::error!("[{}] {} {} -> {status}: {reason}", self.id, self.method, self.path);
        } else if log::log_enabled!(target: "stockroom::access", log::Level::Debug) {
            let bytes = match response.body().size() {
                BodySize::Sized(bytes) => bytes,
                _ => 0,
            };
            let micros = self.started.elapsed().as_micros();
            log::debug!(
                target: "stockroom::access",
                "[{}] {} {} -> {} {bytes} B {micros} µs", self.id, self.method, self.path, status.as_u16()
            );
        }
    }
}
