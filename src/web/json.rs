//! JSON in and out. In: stricter than `serde_json`, since what a client did not mean must not be guessed:
//! duplicate names, depth over 32 and lone surrogates are refused, numbers keep every digit. Out: the
//! envelope of contract 4.1.

mod strict;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderName};
use actix_web::{FromRequest, HttpRequest, HttpResponse};
use futures_util::StreamExt as _;
use serde::Serialize;
use tokio::time::{Instant, timeout_at};

pub use strict::Tree;

use super::list::{Listing, Many};
use super::wire;
use crate::changes::Recorded;
use crate::error::Error;
use crate::fields::{Input, Source};

/// A body of fields may have so many bytes.
pub const LARGEST_BODY: usize = 256 * 1024;
/// A body of many things at once: a hundred items with the longest texts, every character of them escaped.
pub const LARGEST_BULK: usize = 1024 * 1024;
/// A body with one long text in it may have so many: 100 000 characters, each written as an escape (`\u0001`, or
/// two of them) and not as itself.
pub const LARGEST_LONG_BODY: usize = 1_280 * 1024;
/// A body must be there in this time,
const SLOWEST_BODY: Duration = Duration::from_secs(30);
/// and come with so many bytes a second,
const SLOWEST_RATE: u64 = 500;
/// but for a hiccup of so long in all.
const GRACE: Duration = Duration::from_secs(5);

/// A JSON object, field by field.
#[derive(Debug, Clone)]
pub struct Object(pub Input);

impl FromRequest for Object {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move { parse_object(&read_json(&req, payload, LARGEST_BODY).await?).map(Self) })
    }
}

/// A JSON object, or no body at all, which is one without fields.
#[derive(Debug, Clone)]
pub struct OptionalObject(pub Input);

impl FromRequest for OptionalObject {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let body = read_body(&req, payload, LARGEST_BODY).await?;
            if body.is_empty() {
                return Ok(Self(Input::new(Source::Json, Vec::new())));
            }
            check_type(&req)?;
            parse_object(&body).map(Self)
        })
    }
}

/// A JSON object with a long text in it: of up to [`LARGEST_LONG_BODY`] bytes.
#[derive(Debug, Clone)]
pub struct LongObject(pub Input);

impl FromRequest for LongObject {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move { parse_object(&read_json(&req, payload, LARGEST_LONG_BODY).await?).map(Self) })
    }
}

/// Any JSON: what many things at once are sent as.
#[derive(Debug)]
pub struct Json(pub Tree);

impl FromRequest for Json {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move { Tree::parse(&read_json(&req, payload, LARGEST_BULK).await?).map(Self) })
    }
}

async fn read_json(req: &HttpRequest, payload: Payload, bound: usize) -> Result<Vec<u8>, Error> {
    check_type(req)?;
    read_body(req, payload, bound).await
}

fn check_type(req: &HttpRequest) -> Result<(), Error> {
    let essence = content_type(req);
    if essence == "application/json" || essence.starts_with("application/") && essence.ends_with("+json") {
        return Ok(());
    }
    Err(Error::UnsupportedMedia("Send the body as application/json.".to_owned()))
}

/// The media type of a request's body, without its parameters.
pub fn content_type(req: &HttpRequest) -> String {
    let text = req.headers().get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// The whole body, if it is within the bound.
///
/// # Errors
/// 413, 415 for a compressed one, 400 when it breaks off, 408 when it is too slow.
pub async fn read_body(req: &HttpRequest, mut payload: Payload, bound: usize) -> Result<Vec<u8>, Error> {
    let encoded = req.headers().get(header::CONTENT_ENCODING).is_some_and(|v| v != "identity");
    if encoded {
        return Err(Error::UnsupportedMedia("Send the body without Content-Encoding.".to_owned()));
    }
    let declared = req.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > bound) {
        return Err(Error::TooLarge(bound));
    }
    let mut body = Vec::with_capacity(declared.unwrap_or(512).min(bound));
    let began = Instant::now();
    loop {
        let at_this_rate = GRACE + Duration::from_secs(u64::try_from(body.len()).unwrap_or(0) / SLOWEST_RATE);
        let deadline = began + at_this_rate.min(SLOWEST_BODY);
        let Some(chunk) = timeout_at(deadline, payload.next()).await.map_err(|_| Error::TooSlow)? else { break };
        let chunk = chunk.map_err(|_| Error::Malformed("The body broke off.".to_owned()))?;
        if body.len() + chunk.len() > bound {
            return Err(Error::TooLarge(bound));
        }
        body.extend_from_slice(&chunk);
    }
    wire::body_is_read(req);
    Ok(body)
}

/// Reads one JSON object.
///
/// # Errors
/// 400 with the position for what is malformed, and for anything but an object.
pub fn parse_object(body: &[u8]) -> Result<Input, Error> {
    Tree::parse(body)?.into_input().ok_or_else(|| misplaced("an object"))
}

/// 400: the body as a whole is of another kind than it must be.
pub fn misplaced(wanted: &str) -> Error {
    Error::Malformed(format!("Malformed JSON at line 1, column 1: {wanted} belongs here"))
}

/// The envelope of one.
#[derive(Debug, Serialize)]
struct One<'o, T> {
    success: bool,
    message: &'o str,
    data: &'o T,
}

/// A value as JSON, in a buffer that has room for what is expected.
fn body(value: &impl Serialize, expected: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::with_capacity(expected);
    serde_json::to_writer(&mut bytes, value)
        .map_err(|e| Error::Internal(format!("an answer cannot be written: {e}")))?;
    Ok(bytes)
}

/// 200 with one thing.
pub fn one<T: Serialize>(message: &str, data: &T) -> HttpResponse {
    answer(HttpResponse::Ok(), &One { success: true, message, data })
}

/// The text of an answer with one thing: to be kept.
///
/// # Errors
/// Never in practice: when it cannot be written as JSON.
pub fn text_of_one<T: Serialize>(message: &str, data: &T) -> Result<String, Error> {
    serde_json::to_string(&One { success: true, message, data })
        .map_err(|e| Error::Internal(format!("an answer cannot be written: {e}")))
}

/// An answer that says what was done and has nothing to show.
pub fn done(status: StatusCode, message: &str) -> HttpResponse {
    answer(HttpResponse::build(status), &One { success: true, message, data: &() })
}

/// 200 with one thing that has a version.
pub fn versioned<T: Serialize>(message: &str, data: &T, version: i64) -> HttpResponse {
    let mut response = HttpResponse::Ok();
    response.insert_header((header::ETAG, super::etag::of_version(version)));
    answer(response, &One { success: true, message, data })
}

/// 200 with one thing that has a version and is shown with more or less than its own fields: its ETag tells what is
/// shown from other shapes of it, and is as good as the version in `If-Match`.
pub fn shown<T: Serialize>(message: &str, data: &T, version: i64) -> Result<HttpResponse, Error> {
    let bytes = body(&One { success: true, message, data }, 1_024)?;
    let etag = super::etag::of_shown(version, &bytes);
    Ok(HttpResponse::Ok().insert_header((header::ETAG, etag)).content_type("application/json").body(bytes))
}

/// 200 with one thing that has no version; its ETag is that of its bytes.
pub fn one_tagged<T: Serialize>(message: &str, data: &T) -> Result<HttpResponse, Error> {
    let bytes = body(&One { success: true, message, data }, 1_024)?;
    let etag = super::etag::of_body(&bytes);
    Ok(HttpResponse::Ok().insert_header((header::ETAG, etag)).content_type("application/json").body(bytes))
}

/// 201 with the new thing and where it is.
pub fn created<T: Serialize>(message: &str, data: &T, location: String, version: i64) -> HttpResponse {
    Answer::created(message, data, location, version).map_or_else(HttpResponse::from_error, HttpResponse::from)
}

/// A JSON answer that is not on its way yet: it can be made inside a transaction, and kept there (see
/// `web::idempotency`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// The headers that belong to what it says: its type, `ETag`, `Location`.
    pub headers: Vec<(HeaderName, String)>,
    /// Its bytes.
    pub body: Vec<u8>,
}

impl Answer {
    /// Any value, as JSON.
    ///
    /// # Errors
    /// Never in practice: when it cannot be written as JSON.
    pub fn of(status: StatusCode, value: &impl Serialize) -> Result<Self, Error> {
        let headers = vec![(header::CONTENT_TYPE, "application/json".to_owned())];
        Ok(Self { status, headers, body: body(value, 1_024)? })
    }

    /// One thing in its envelope.
    ///
    /// # Errors
    /// As [`Answer::of`].
    pub fn one<T: Serialize>(status: StatusCode, message: &str, data: &T) -> Result<Self, Error> {
        Self::of(status, &One { success: true, message, data })
    }

    /// 200 with one thing that has a version.
    ///
    /// # Errors
    /// As [`Answer::of`].
    pub fn versioned<T: Serialize>(message: &str, data: &T, version: i64) -> Result<Self, Error> {
        Ok(Self::one(StatusCode::OK, message, data)?.with(header::ETAG, super::etag::of_version(version)))
    }

    /// 201 with the new thing and where it is.
    ///
    /// # Errors
    /// As [`Answer::of`].
    pub fn created<T: Serialize>(message: &str, data: &T, location: String, version: i64) -> Result<Self, Error> {
        let answer = Self::one(StatusCode::CREATED, message, data)?;
        Ok(answer.with(header::LOCATION, location).with(header::ETAG, super::etag::of_version(version)))
    }

    /// The same answer with one more header.
    #[must_use]
    pub fn with(mut self, name: HeaderName, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl From<Answer> for HttpResponse {
    fn from(answer: Answer) -> Self {
        let mut response = HttpResponse::build(answer.status);
        for header in answer.headers {
            response.insert_header(header);
        }
        response.body(answer.body)
    }
}

/// 200 with a part of a list.
pub fn many<T: Serialize>(message: &str, listing: &Listing<T>) -> Result<HttpResponse, Error> {
    let bytes = body(&Many::of(message, listing), room(listing))?;
    let etag = super::etag::of_body(&bytes);
    Ok(HttpResponse::Ok().insert_header((header::ETAG, etag)).content_type("application/json").body(bytes))
}

/// 200 with a part of a list whose rows have versions.
pub fn many_versioned<T: Serialize + Recorded>(message: &str, listing: &Listing<T>) -> Result<HttpResponse, Error> {
    let bytes = body(&Many::of(message, listing), room(listing))?;
    let etag = super::etag::of_rows(listing);
    Ok(HttpResponse::Ok().insert_header((header::ETAG, etag)).content_type("application/json").body(bytes))
}

fn room<T>(listing: &Listing<T>) -> usize {
    512 + 512 * listing.rows.len()
}

/// A JSON answer of any status.
pub fn answer(mut response: actix_web::HttpResponseBuilder, value: &impl Serialize) -> HttpResponse {
    match body(value, 1_024) {
        Ok(bytes) => response.content_type("application/json").body(bytes),
        Err(error) => HttpResponse::from_error(error),
    }
}
