//! Every way in which a request can fail, and the only place that names an error's status code.
//!
//! A handler returns [`Error`]; its response carries no body, only the [`Problem`] in its extensions. What
//! the client sees (problem+json, RFC 9457, or an HTML page) is drawn by `web::front`, which is around
//! everything, so that framework errors and panics look the same. What went wrong inside (driver text, SQL)
//! goes to the log under the request id and never into an answer.

use std::fmt;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpResponse, ResponseError};
use diesel::result::{DatabaseErrorKind, Error as DbError};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::fields::{FieldError, FieldErrors};

/// Why a request failed.
#[derive(Debug, Clone)]
pub enum Error {
    /// 400: the request itself cannot be read: JSON, cursor, query string.
    Malformed(String),
    /// 401: no, bad or expired credentials.
    Unauthenticated(String),
    /// 401: the password is right, and the account asks for a second factor too.
    SecondFactorRequired,
    /// 401: the password is right, the second factor is not.
    SecondFactorInvalid,
    /// 403: known, but may not.
    Forbidden(String),
    /// 404: nothing there, or nothing that the caller may know of.
    NotFound(String),
    /// 405, with what is allowed.
    MethodNotAllowed(&'static str),
    /// 409: it meets something that is there already; the field, where one is to blame.
    Conflict {
        /// What is in the way, in a sentence.
        detail: String,
        /// The input field that has to change, if it is one.
        field: Option<&'static str>,
    },
    /// 409: many things stand in the way, each named.
    InTheWay {
        /// On the whole, in a sentence.
        detail: String,
        /// Each of them.
        errors: FieldErrors,
    },
    /// 409: a request with this `Idempotency-Key` is being served.
    InFlight,
    /// 412: `If-Match` names another version.
    PreconditionFailed(String),
    /// 428: a write must say which version it means (`REQUIRE_IF_MATCH`).
    PreconditionRequired,
    /// 413: larger than the bound, in bytes.
    TooLarge(usize),
    /// 408: a body that comes too slowly.
    TooSlow,
    /// 414: a request target of more than 8 KiB.
    UriTooLong,
    /// 415: a media type that is not accepted here.
    UnsupportedMedia(String),
    /// 421: a request for another host, once `BASE_URL` is set.
    Misdirected,
    /// 422: well-formed, but breaks rules: all of them at once.
    Invalid(FieldErrors),
    /// 422: of many things that were asked for nothing was done; the problem says more of each.
    NothingDone {
        /// On the whole, in a sentence.
        detail: String,
        /// Members of the problem beside its own, `errors` among them.
        members: Map<String, Value>,
    },
    /// 429: too many requests, or too many failed sign-ins.
    TooManyRequests {
        /// What there is too much of, in a sentence.
        detail: String,
        /// `Retry-After`, in seconds.
        retry_after: u32,
    },
    /// 503: it may work in so many seconds; the reason is for the log.
    Unavailable {
        /// What the client may know.
        detail: &'static str,
        /// `Retry-After`, in seconds.
        retry_after: u32,
        /// For the log.
        reason: String,
    },
    /// 500: our fault; the reason is for the log.
    Internal(String),
}

/// An [`Error`] as an answer: RFC 9457 with the members of contract 4.2.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    /// A URN that names the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The HTTP status code.
    pub status: u16,
    /// What happened, for a person.
    pub detail: String,
    /// Always false.
    pub success: bool,
    /// The same as `detail`.
    pub message: String,
    /// The kind of problem, for a program.
    pub error_type: String,
    /// The request's id, under which the log has more.
    pub request_id: String,
    /// What is wrong with which field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// More that this kind of problem says (RFC 9457, 3.2).
    #[serde(flatten)]
    pub members: Map<String, Value>,
}

impl Problem {
    /// A problem of a status that did not come from an [`Error`] (the framework's own refusals).
    pub fn of_status(status: StatusCode) -> Self {
        let (error_type, detail) = match status.as_u16() {
            400 => ("bad_request", "The request could not be read."),
            401 => ("unauthenticated", "Credentials are needed."),
            404 => ("not_found", "There is nothing here."),
            405 => ("method_not_allowed", "This method is not allowed here."),
            408 => ("request_timeout", "The request took too long to arrive."),
            413 => ("too_large", "The request is too large."),
            415 => ("unsupported_media_type", "This media type is not accepted here."),
            431 => ("head_too_large", "The request's head is too large: it may have 96 headers and 128 KiB."),
            500 => ("internal_error", "Something went wrong on our side. It has been logged under this request id."),
            503 => ("unavailable", "The service is not available right now. Try again shortly."),
            _ => ("error", "The request failed."),
        };
        Self::new(status, error_type, detail.to_owned(), Vec::new())
    }

    fn new(status: StatusCode, error_type: &str, detail: String, errors: Vec<FieldError>) -> Self {
        Self {
            kind: format!("urn:stockroom:problem:{error_type}"),
            title: status.canonical_reason().unwrap_or("Error").to_owned(),
            status: status.as_u16(),
            message: detail.clone(),
            detail,
            success: false,
            error_type: error_type.to_owned(),
            request_id: String::new(),
            errors,
            members: Map::new(),
        }
    }
}

impl Error {
    /// One field that breaks a rule.
    pub fn field(field: &str, kind: &'static str, message: impl Into<String>) -> Self {
        let mut errors = FieldErrors::default();
        errors.add(field, kind, message);
        Self::Invalid(errors)
    }

    /// `Item with id 999 not found`.
    pub fn missing(entity: &str, id: i64) -> Self {
        Self::NotFound(format!("{entity} with id {id} not found"))
    }

    /// The database cannot be asked right now.
    pub fn database_unavailable(reason: impl fmt::Display) -> Self {
        Self::Unavailable {
            detail: "The database cannot be reached right now. Try again shortly.",
            retry_after: 2,
            reason: reason.to_string(),
        }
    }

    /// The answer of this error, without the request's id.
    pub fn problem(&self) -> Problem {
        let (kind, detail, errors) = match self {
            Self::Malformed(detail) => ("bad_request", detail.clone(), Vec::new()),
            Self::Unauthenticated(detail) => ("unauthenticated", detail.clone(), Vec::new()),
            Self::SecondFactorRequired => (
                "second_factor_required",
                "This account has two-factor sign-in. Send `otp` too: the code of the authenticator app, or a recovery code."
                    .to_owned(),
                Vec::new(),
            ),
            Self::SecondFactorInvalid => (
                "second_factor_invalid",
                "The code is wrong or was used already. Send the app's next code, or another recovery code.".to_owned(),
                Vec::new(),
            ),
            Self::Forbidden(detail) => ("forbidden", detail.clone(), Vec::new()),
            Self::NotFound(detail) => ("not_found", detail.clone(), Vec::new()),
            Self::MethodNotAllowed(allow) => {
                ("method_not_allowed", format!("This method is not allowed here. Allowed: {allow}."), Vec::new())
            }
            Self::Conflict { detail, field } => {
                let errors = field.iter().map(|field| FieldError {
                    field: (*field).to_owned(),
                    message: detail.clone(),
                    kind: "conflict",
                });
                ("conflict", detail.clone(), errors.collect())
            }
            Self::InTheWay { detail, errors } => ("conflict", detail.clone(), errors.list().to_vec()),
            Self::InFlight => (
                "in_flight",
                "A request with this Idempotency-Key is being served. Send it again shortly to get its answer.".to_owned(),
                Vec::new(),
            ),
            Self::PreconditionFailed(detail) => ("precondition_failed", detail.clone(), Vec::new()),
            Self::PreconditionRequired => (
                "precondition_required",
                "Send If-Match with the ETag of the version that you mean to change.".to_owned(),
                Vec::new(),
            ),
            Self::TooLarge(bound) => ("too_large", format!("The body may have at most {bound} bytes."), Vec::new()),
            Self::UriTooLong => {
                ("uri_too_long", "The request's address may have at most 8192 bytes.".to_owned(), Vec::new())
            }
            Self::TooSlow => (
                "request_timeout",
                "The body took too long to arrive. It must come at 500 bytes a second or more, and within 30 seconds \
                 unless it is a file."
                    .to_owned(),
                Vec::new(),
            ),
            Self::Misdirected => {
                ("misdirected_request", "This host is not served here. Check the address.".to_owned(), Vec::new())
            }
            Self::UnsupportedMedia(detail) => ("unsupported_media_type", detail.clone(), Vec::new()),
            Self::Invalid(errors) => {
                let count = errors.len();
                let detail = match count {
                    1 => "1 field is not valid".to_owned(),
                    _ => format!("{count} fields are not valid"),
                };
                ("validation_error", detail, errors.list().to_vec())
            }
            Self::NothingDone { detail, members } => {
                let problem = Problem::new(self.status_code(), "validation_error", detail.clone(), Vec::new());
                return Problem { members: members.clone(), ..problem };
            }
            Self::TooManyRequests { detail, .. } => ("too_many_requests", detail.clone(), Vec::new()),
            Self::Unavailable { detail, .. } => ("unavailable", (*detail).to_owned(), Vec::new()),
            Self::Internal(_) => return Problem::of_status(StatusCode::INTERNAL_SERVER_ERROR),
        };
        Problem::new(self.status_code(), kind, detail, errors)
    }
}

impl FieldErrors {
    /// `Ok(value)` if nothing is wrong.
    ///
    /// # Errors
    /// [`Error::Invalid`] with all mistakes otherwise.
    pub fn into_result<T>(self, value: impl FnOnce() -> Option<T>) -> Result<T, Error> {
        if !self.is_empty() {
            return Err(Error::Invalid(self));
        }
        value().ok_or_else(|| Error::Internal("a parsed field is missing without an error".to_owned()))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Internal(reason) => write!(f, "{reason}"),
            Self::Unavailable { detail, reason, .. } => write!(f, "{detail} ({reason})"),
            Self::Invalid(errors) => write!(f, "{errors}"),
            other => write!(f, "{}", other.problem().detail),
        }
    }
}

impl std::error::Error for Error {}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Unauthenticated(_) | Self::SecondFactorRequired | Self::SecondFactorInvalid => {
                StatusCode::UNAUTHORIZED
            }
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict { .. } | Self::InTheWay { .. } | Self::InFlight => StatusCode::CONFLICT,
            Self::PreconditionFailed(_) => StatusCode::PRECONDITION_FAILED,
            Self::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UriTooLong => StatusCode::URI_TOO_LONG,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::UnsupportedMedia(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid(_) | Self::NothingDone { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyRequests { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        match self {
            Self::Unauthenticated(_) | Self::SecondFactorRequired | Self::SecondFactorInvalid => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer"));
            }
            Self::MethodNotAllowed(allow) => {
                response.insert_header((header::ALLOW, *allow));
            }
            Self::Unavailable { retry_after, .. } | Self::TooManyRequests { retry_after, .. } => {
                response.insert_header((header::RETRY_AFTER, *retry_after));
            }
            Self::InFlight => {
                response.insert_header((header::RETRY_AFTER, 1));
            }
            _ => {}
        }
        let mut response = response.finish();
        response.extensions_mut().insert(self.problem());
        if let Self::Internal(reason) | Self::Unavailable { reason, .. } = self {
            response.extensions_mut().insert(Reason(reason.clone()));
        }
        response
    }
}

/// What the log is told of a 5xx, beside the response that does not say it.
#[derive(Debug, Clone)]
pub struct Reason(pub String);

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        match error {
            DbError::NotFound => Self::NotFound("There is nothing here.".to_owned()),
            error if connection_lost(&error) => Self::database_unavailable(error),
            DbError::DatabaseError(kind, info) if collided(&kind, info.message()) => Self::Unavailable {
                detail: "Others are writing the same data right now. Try again.",
                retry_after: 1,
                reason: info.message().to_owned(),
            },
            error => Self::Internal(format!("database: {error}")),
        }
    }
}

/// Whether PostgreSQL gave this transaction up in favour of another, or of its own time limits.
fn collided(kind: &DatabaseErrorKind, text: &str) -> bool {
    matches!(kind, DatabaseErrorKind::SerializationFailure)
        || text.contains("deadlock detected")
        || text.contains("canceling statement due to")
}

/// Whether an error says that the connection is gone and not that the statement was wrong. libpq reports a
/// lost connection as an error without a SQLSTATE, which Diesel can tell from others only by its text.
pub fn connection_lost(error: &DbError) -> bool {
    match error {
        DbError::BrokenTransactionManager => true,
        DbError::DatabaseError(DatabaseErrorKind::ClosedConnection, _) => true,
        DbError::DatabaseError(_, info) => {
            let text = info.message();
            [
                "server closed the connection",
                "no connection to the server",
                "terminating connection",
                "connection not open",
                "could not receive data",
                "could not send data",
                "SSL connection has been closed",
                "the database system is",
                "SSL SYSCALL",
            ]
            .iter()
            .any(|sign| text.contains(sign))
        }
        _ => false,
    }
}
