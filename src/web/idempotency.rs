//! `Idempotency-Key`: a POST that is sent again because its answer was lost is answered again and not done again
//! (draft-ietf-httpapi-idempotency-key-header). A handler asks for [`Once`], before the body that it reads, and
//! writes through it: the answer is kept in the transaction of its effect, so that after a crash there are both or
//! neither. Only effects are kept: what failed did nothing, and may be sent again.
//!
//! An act of several transactions (an import, the undoing of a large changeset) claims the key in the first, holds on
//! to it in each further one and keeps the answer in the last. Cut off in the middle by a crash, it leaves what it
//! had committed, in its changeset, and a claim that nobody holds: a lease that runs out after two minutes, or is
//! let go at the next start of the only server of a SQLite file. Until then the key is answered with 409 and
//! `Retry-After`; after that the request is a new one, which does the rest of an undo, and of an import in the mode
//! `create` tells the lines whose SKU is there by then.
//!
//! Not for signing in, out, and passwords: these routes ignore the header, since their answers are tokens, and
//! each of them is safe to repeat or good for one use anyway.

mod store;

use std::cell::RefCell;
use std::future::{Ready, ready};
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::http::header::HeaderName;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, HttpResponse};
use futures_util::StreamExt as _;
use sha2::{Digest as _, Sha256};

use super::json::Answer;
use super::request_id;
use crate::app::{App, KeyUse, hmac_sha256};
use crate::caller::{Caller, Principal, Who};
use crate::changes::Tx;
use crate::db::{Conn, Effects};
use crate::error::Error;
use crate::time::Timestamp;

pub use store::{delete_expired, let_go_all};

/// `Idempotency-Key`
pub const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// `Idempotent-Replayed`, on an answer that was given before.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// The longest key, in characters.
const LONGEST: usize = 255;
/// An answer is kept for 24 hours,
const KEPT: i64 = 24 * 60 * 60;
/// and an act of several transactions may take so long for the next one of them, in seconds: what a crash has cut
/// short can be sent again then.
const UNDER_WAY: i64 = 120;

/// A request that is to be done once, if it says so: an extractor, which must stand before the one of the body.
#[derive(Debug)]
pub struct Once(Option<Ticket>);

#[derive(Debug)]
struct Ticket {
    id: String,
    query: String,
    /// Of the body, as far as it was read.
    read: Rc<RefCell<Sha256>>,
    keys: (Key, Option<Key>),
}

type Key = [u8; 32];

impl FromRequest for Once {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        ready(Ticket::of(req, payload).map(Self))
    }
}

impl Ticket {
    fn of(req: &HttpRequest, payload: &mut Payload) -> Result<Option<Self>, Error> {
        let mut sent = req.headers().get_all(KEY);
        let Some(key) = sent.next() else { return Ok(None) };
        let visible = key.as_bytes().iter().all(u8::is_ascii_graphic);
        if sent.next().is_some() || !visible || !(1..=LONGEST).contains(&key.len()) {
            let rule = format!("Idempotency-Key must be 1 to {LONGEST} visible ASCII characters, and be there once.");
            return Err(Error::Malformed(rule));
        }
        let missing = |what: &str| Error::Internal(format!("this route has no {what}"));
        let app = req.app_data::<Data<App>>().ok_or_else(|| missing("app"))?;
        let caller = req.extensions().get::<Caller>().map(by).ok_or_else(|| missing("identification"))?;
        let mut id = Sha256::new();
        for part in [caller.as_bytes(), req.method().as_str().as_bytes(), req.path().as_bytes(), key.as_bytes()] {
            // No part has a line break, so that no two lists of parts are alike.
            id.update(part);
            id.update(b"\n");
        }
        let read = Rc::new(RefCell::new(Sha256::new()));
        let hasher = Rc::clone(&read);
        let hashed = payload.take().inspect(move |chunk| {
            if let Ok(bytes) = chunk {
                hasher.borrow_mut().update(bytes);
            }
        });
        *payload = Payload::Stream { payload: Box::pin(hashed) };
        Ok(Some(Self {
            id: hex::encode(id.finalize()),
            query: req.query_string().to_owned(),
            read,
            keys: (app.key(KeyUse::Answers), app.previous_key(KeyUse::Answers)),
        }))
    }

    fn claim(self) -> Held {
        let mut request = self.read.borrow().clone().finalize().to_vec();
        request.extend_from_slice(self.query.as_bytes());
        Held { id: self.id, request, keys: self.keys, lease: request_id::made() }
    }
}

/// Whose key it is: two callers may use the same.
fn by(caller: &Caller) -> String {
    match (&caller.who, caller.address) {
        // With an API key it is the key's, which may be allowed less than its owner.
        (Who::User(Principal { api_key_id: Some(id), .. }), _) => format!("key {id}"),
        (Who::User(user), _) => format!("user {}", user.id),
        (_, Some(address)) => format!("address {address}"),
        (_, None) => "nobody".to_owned(),
    }
}

impl Once {
    /// Says what the body is, where the same one may be sent in other bytes: a form whose boundary is new each time.
    pub fn body_is(&self, meaning: &[u8]) {
        if let Some(ticket) = &self.0 {
            *ticket.read.borrow_mut() = Sha256::new_with_prefix(meaning);
        }
    }

    /// Does it in one transaction and answers, or answers as it did before. `show` makes the answer of what was done.
    ///
    /// # Errors
    /// What the work says; 409 while the same request is being served, 422 for a key of another one.
    pub async fn write<T, W, S>(self, app: &App, caller: &Caller, work: W, show: S) -> Result<HttpResponse, Error>
    where
        T: Send + 'static,
        W: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
        S: FnOnce(&T) -> Result<Answer, Error> + Send + 'static,
    {
        let Some(ticket) = self.0 else {
            let done = app.write(caller, work).await?;
            return show(&done).map(HttpResponse::from);
        };
        let held = ticket.claim();
        let act = move |tx: &mut Tx<'_>| {
            store::lock(tx.conn, &held.id)?;
            if let Some(answer) = held.known(tx.conn, tx.now)? {
                return Ok((answer, true));
            }
            let answer = show(&work(tx)?)?;
            held.keep(tx, &answer)?;
            Ok((answer, false))
        };
        let (answer, before) = app.write(caller, act).await?;
        Ok(if before { replayed(answer) } else { answer.into() })
    }

    /// For an act that reads first, or takes several transactions: its answer, if it was done before, or the claim
    /// to do it.
    ///
    /// # Errors
    /// 409 while the same request is being served, 422 for a key of another one.
    pub async fn claim(self, app: &App) -> Result<Claimed, Error> {
        let Some(ticket) = self.0 else { return Ok(Claimed::Mine(Claim(None))) };
        let held = ticket.claim();
        let looked = held.clone();
        match app.look_up(move |conn| looked.known(conn, Timestamp::now())).await? {
            Some(answer) => Ok(Claimed::Answered(replayed(answer))),
            None => Ok(Claimed::Mine(Claim(Some(held)))),
        }
    }
}

fn replayed(answer: Answer) -> HttpResponse {
    answer.with(REPLAYED, "true".to_owned()).into()
}

/// What [`Once::claim`] found.
pub enum Claimed {
    /// It was done before, and this was the answer.
    Answered(HttpResponse),
    /// It is to be done.
    Mine(Claim),
}

/// The claim to do something once; nothing, if the request has no key.
#[derive(Debug, Clone)]
pub struct Claim(Option<Held>);

impl Claim {
    /// That of a form, which has no key: whoever sends it twice is told that nothing is left to do.
    pub fn none() -> Self {
        Self(None)
    }

    /// Takes hold, in the first transaction of the act. If that is not the last one too, others are told until
    /// [`Claim::keep`] that it is under way.
    ///
    /// # Errors
    /// 409 when somebody was faster.
    pub fn begin(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let Some(held) = &self.0 else { return Ok(()) };
        store::lock(tx.conn, &held.id)?;
        if held.known(tx.conn, tx.now)?.is_some() {
            return Err(Error::InFlight);
        }
        let kept = store::Kept::UnderWay(&held.lease);
        let until = tx.now.plus_seconds(UNDER_WAY);
        Ok(store::put(tx.conn, &held.id, &held.fingerprint(&held.keys.0), kept, until)?)
    }

    /// Holds on, in each further transaction of the act.
    ///
    /// # Errors
    /// 409 when it took so long that somebody else took hold.
    pub fn go_on(&self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let Some(held) = &self.0 else { return Ok(()) };
        let until = tx.now.plus_seconds(UNDER_WAY);
        if store::hold_on(tx.conn, &held.id, &held.lease, until)? { Ok(()) } else { Err(Error::InFlight) }
    }

    /// Keeps the answer, in the last transaction of the act.
    ///
    /// # Errors
    /// Only the database's.
    pub fn keep(&self, tx: &mut Tx<'_>, answer: &Answer) -> Result<(), Error> {
        match &self.0 {
            Some(held) => held.keep(tx, answer),
            None => Ok(()),
        }
    }

    /// Lets go after a failure, so that the request can be sent again. What somebody else holds stays theirs.
    pub async fn let_go(&self, app: &App) {
        let Some(held) = self.0.clone() else { return };
        let act = move |conn: &mut Conn| Ok((store::let_go(conn, &held.id, &held.lease)?, Effects::default()));
        if let Err(error) = app.db.write(Box::new(act)).await {
            log::warn!("an Idempotency-Key could not be let go; it can be used again in two minutes: {error}");
        }
    }
}

#[derive(Debug, Clone)]
struct Held {
    id: String,
    /// The body's hash, and the query.
    request: Vec<u8>,
    keys: (Key, Option<Key>),
    /// By which this one is known among those with the same key.
    lease: String,
}

impl Held {
    /// Under a key, since a body may hold a password that could be guessed from a plain hash.
    fn fingerprint(&self, key: &Key) -> String {
        hex::encode(hmac_sha256(key, &self.request))
    }

    /// The answer that was given before.
    fn known(&self, conn: &mut Conn, now: Timestamp) -> Result<Option<Answer>, Error> {
        let Some(row) = store::find(conn, &self.id, now)? else { return Ok(None) };
        // A key of ours may have been replaced since.
        let keys = [Some(self.keys.0), self.keys.1];
        let Some(key) = keys.into_iter().flatten().find(|key| self.fingerprint(key) == row.request) else {
            let message = "was used for another request; take a new one, or send the same query and body";
            return Err(Error::field("Idempotency-Key", "reused", message));
        };
        if row.status.is_none() {
            return Err(Error::InFlight);
        }
        row.answer(&key).map(Some)
    }

    fn keep(&self, tx: &mut Tx<'_>, answer: &Answer) -> Result<(), Error> {
        if !answer.status.is_success() {
            return Ok(store::delete(tx.conn, &self.id)?);
        }
        let kept = store::Kept::Answer(store::seal(&self.keys.0, &self.id, answer)?);
        let until = tx.now.plus_seconds(KEPT);
        Ok(store::put(tx.conn, &self.id, &self.fingerprint(&self.keys.0), kept, until)?)
    }
}
