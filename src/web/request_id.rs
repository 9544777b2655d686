//! The id of a request: the client's own, if it is sane, or one that is made. It is on every answer, in
//! every log line and in the changeset.

use std::sync::Arc;

use actix_web::HttpMessage as _;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderName;
use rand::Rng as _;

/// `X-Request-ID`
pub const HEADER: HeaderName = HeaderName::from_static("x-request-id");
/// A longer one is not taken over.
const LONGEST: usize = 64;

/// The id, in the request's extensions.
#[derive(Debug, Clone)]
pub struct RequestId(pub Arc<str>);

/// Takes or makes the id and puts it into the request.
pub fn assign(req: &ServiceRequest) -> Arc<str> {
    let sent = req.headers().get(HEADER).and_then(|value| value.to_str().ok()).filter(|id| is_sane(id));
    let id: Arc<str> = match sent {
        Some(id) => Arc::from(id),
        None => Arc::from(made().as_str()),
    };
    req.extensions_mut().insert(RequestId(Arc::clone(&id)));
    id
}

/// A new id: 96 random bits.
pub fn made() -> String {
    let mut bytes = [0_u8; 12];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}

fn is_sane(id: &str) -> bool {
    (1..=LONGEST).contains(&id.len())
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}
