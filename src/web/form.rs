//! HTML forms: their fields, and that they come from a page of ours. A form carries a token that only our
//! page knows (it hangs on the session, or before there is one on a cookie of its own), and the browser's own
//! word (`Sec-Fetch-Site`, `Origin`) is checked too.

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};
use subtle::ConstantTimeEq as _;

use super::json::{content_type, read_body};
use crate::error::Error;
use crate::fields::Input;

/// A form may have so many bytes.
const LARGEST: usize = 1024 * 1024;

/// The token that forms of this visitor carry; `auth::identify` puts it into the request.
#[derive(Debug, Clone)]
pub struct CsrfToken(pub String);

/// A form that came from a page of ours.
#[derive(Debug, Clone)]
pub struct Form {
    /// The fields, trimmed; passwords too are read from [`Form::verbatim`].
    pub input: Input,
    pairs: Vec<(String, String)>,
}

impl Form {
    /// A field exactly as it was typed.
    pub fn verbatim(&self, name: &str) -> &str {
        self.pairs.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).unwrap_or_default()
    }

    /// All values of a field that may come often.
    pub fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.pairs.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }
}

impl FromRequest for Form {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            check_origin(req.headers())?;
            if content_type(&req) != "application/x-www-form-urlencoded" {
                return Err(Error::UnsupportedMedia("Send the form as application/x-www-form-urlencoded.".to_owned()));
            }
            let body = read_body(&req, payload, LARGEST).await?;
            let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(&body)
                .map_err(|_| Error::Malformed("The form cannot be read.".to_owned()))?;
            let token = req.extensions().get::<CsrfToken>().cloned();
            let sent =
                pairs.iter().find(|(name, _)| name == "_csrf").map(|(_, value)| value.as_str()).unwrap_or_default();
            let genuine =
                token.is_some_and(|token| !token.0.is_empty() && bool::from(token.0.as_bytes().ct_eq(sent.as_bytes())));
            if !genuine {
                return Err(foreign());
            }
            let input = Input::from_text(pairs.iter().map(|(n, v)| (n.as_str(), v.as_str())));
            Ok(Self { input, pairs })
        })
    }
}

fn foreign() -> Error {
    Error::Forbidden(
        "This form is too old or did not come from this site. Go back, load the page again and repeat what you did."
            .to_owned(),
    )
}

/// What the browser says of where the form was.
fn check_origin(headers: &HeaderMap) -> Result<(), Error> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|v| v.to_str().ok());
    if let Some(site) = text(header::HeaderName::from_static("sec-fetch-site")) {
        return if matches!(site, "same-origin" | "none") { Ok(()) } else { Err(foreign()) };
    }
    match (text(header::ORIGIN), text(header::HOST)) {
        (Some(origin), Some(host))
            if origin.split_once("://").is_some_and(|(_, from)| from.eq_ignore_ascii_case(host)) =>
        {
            Ok(())
        }
        (Some(_), _) => Err(foreign()),
        (None, _) => Ok(()),
    }
}
