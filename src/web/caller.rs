//! Extractors for who asks. `auth::identify` has put the [`Caller`] into the request; a handler says in its
//! signature whom it serves.

use std::future::{Ready, ready};
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::http::header::HeaderName;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest};

use crate::caller::{Caller, Principal};
use crate::error::Error;

/// The header that carries an API key. No other place does, least of all a URL.
pub const API_KEY: HeaderName = HeaderName::from_static("x-api-key");

/// Anybody, known or not; `PUBLIC_READ=false` has turned the unknown away already.
#[derive(Debug, Clone)]
pub struct Anyone(Caller);

/// Anybody who is signed in.
#[derive(Debug, Clone)]
pub struct Member(Caller, Principal);

/// Anybody who has signed in themselves: not a program with an API key. For what opens doors: keys, passwords,
/// sessions.
#[derive(Debug, Clone)]
pub struct Person(Caller, Principal);

/// An admin.
#[derive(Debug, Clone)]
pub struct Admin(Caller);

impl Deref for Anyone {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl Deref for Member {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl Deref for Person {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl Deref for Admin {
    type Target = Caller;
    fn deref(&self) -> &Caller {
        &self.0
    }
}

impl Member {
    /// The signed-in user's id.
    pub fn id(&self) -> i64 {
        self.1.id
    }
}

impl Person {
    /// The signed-in user's id.
    pub fn id(&self) -> i64 {
        self.1.id
    }
}

fn caller(req: &HttpRequest) -> Result<Caller, Error> {
    req.extensions()
        .get::<Caller>()
        .cloned()
        .ok_or_else(|| Error::Internal("this route is behind no identification".to_owned()))
}

fn member(req: &HttpRequest) -> Result<Member, Error> {
    let caller = caller(req)?;
    match caller.principal().cloned() {
        Some(principal) => Ok(Member(caller, principal)),
        None => Err(Error::Unauthenticated("Sign in to do this.".to_owned())),
    }
}

impl FromRequest for Anyone {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;
    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(caller(req).map(Self))
    }
}

impl FromRequest for Member {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;
    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(member(req))
    }
}

impl FromRequest for Person {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;
    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(member(req).and_then(|Member(caller, principal)| match principal.api_key_id {
            None => Ok(Self(caller, principal)),
            Some(_) => Err(no_key()),
        }))
    }
}

/// What an API key is told where only a person may act.
pub fn no_key() -> Error {
    Error::Forbidden("An API key may not do this. Sign in and send an access token.".to_owned())
}

impl FromRequest for Admin {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;
    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(member(req).and_then(|Member(caller, _)| {
            if caller.is_admin() { Ok(Self(caller)) } else { Err(caller.refusal("do this: it needs the role admin")) }
        }))
    }
}
