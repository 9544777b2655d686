//! Whom a request is for: `Host`, or the authority of the target, which says the same. Once `BASE_URL` is set,
//! a request for anybody else is refused, so that no page, link or cache entry is ever made for a name that
//! is not ours (DNS rebinding, poisoned caches). The health checks answer for every host: what asks them
//! (load balancers, container runtimes) knows addresses, not names.

use actix_web::dev::ServiceRequest;
use actix_web::http::header;

use crate::error::Error;

/// Checks a request's host.
///
/// # Errors
/// 400 for one that cannot be a host, 421 for one that is not `BASE_URL`'s.
pub fn check(req: &ServiceRequest, base_url: Option<&str>) -> Result<(), Error> {
    let sent = req.headers().get(header::HOST).map(header::HeaderValue::as_bytes);
    let target = req.uri().authority().map(|authority| authority.as_str().as_bytes());
    for host in sent.iter().chain(target.iter()) {
        if !is_host(host) {
            return Err(Error::Malformed("The Host header does not name a host.".to_owned()));
        }
    }
    let Some((scheme, ours)) = base_url.and_then(|url| url.split_once("://")) else { return Ok(()) };
    let path = req.path();
    if path == "/health" || path.starts_with("/health/") {
        return Ok(());
    }
    // HTTP/1.0 and HTTP/2 need no Host; actix refuses HTTP/1.1 without one or with two.
    let mut named = sent.iter().chain(target.iter()).peekable();
    if named.peek().is_some() && named.all(|host| is_ours(host, ours.as_bytes(), scheme)) {
        Ok(())
    } else {
        Err(Error::Misdirected)
    }
}

/// Whether these bytes can be a host with or without a port (RFC 3986, 3.2.2), without a user.
fn is_host(bytes: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_' | b':' | b'[' | b']');
    !bytes.is_empty() && bytes.iter().all(plain) && bytes.first().is_some_and(|b| *b != b':')
}

/// Whether they name the host of `BASE_URL`, in which a default port is not written.
fn is_ours(sent: &[u8], ours: &[u8], scheme: &str) -> bool {
    let default_port: &[u8] = if scheme == "https" { b":443" } else { b":80" };
    sent.eq_ignore_ascii_case(ours)
        || sent.strip_suffix(default_port).is_some_and(|without| without.eq_ignore_ascii_case(ours))
}
