//! Browser sessions in the database, for `actix-session`. The key is kept as its SHA-256; a session ends when
//! it was idle too long, and in any case after its longest time. What the store alone knows of a session (when
//! and where it began, its public id) is given to its requests beside the state, and is not written with it.

use std::collections::HashMap;
use std::sync::Arc;

use actix_session::config::{BrowserSession, CookieContentSecurity};
use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_session::{Session, SessionInsertError, SessionMiddleware};
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Key, SameSite};
use actix_web::http::header;
use actix_web::{HttpMessage as _, HttpRequest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng as _;
use sha2::{Digest as _, Sha256};

use super::device;
use super::store;
use crate::app::{App, KeyUse};
use crate::caller::Caller;
use crate::db::Effects;
use crate::error::Error;
use crate::time::Timestamp;
use crate::users::model::User;

/// Where the session keeps the user's id.
pub const USER: &str = "user";
/// Where it keeps the user's `credentials_version` at sign-in.
pub const CREDENTIALS: &str = "credentials";
/// Where it keeps the token that its forms carry.
pub const CSRF: &str = "csrf";
/// The public id of the session: it names one in forms and opens nothing.
const ID: &str = "id";
/// When it began, in microseconds since 1970: a session that goes on under a new key does not begin anew.
const BEGUN: &str = "begun";
/// The browser that it began in, as it named itself.
const DEVICE: &str = "device";
/// The address that it began at.
const ADDRESS: &str = "address";
/// So many digits of the hash are the public id: 64 bits, and only among one user's.
const ID_DIGITS: usize = 16;
/// A use is noted at most so often, in seconds: each is a write.
const NOTED_EVERY: i64 = 60;

type State = HashMap<String, String>;

/// The store.
pub struct Store {
    app: Arc<App>,
}

/// The middleware around the admin pages.
pub fn middleware(app: &Arc<App>) -> SessionMiddleware<Store> {
    let key = app.key(KeyUse::SessionCookie);
    let https = app.config.is_https();
    let name = if https { "__Host-stockroom_session" } else { "stockroom_session" };
    SessionMiddleware::builder(Store { app: Arc::clone(app) }, Key::derive_from(&key))
        .cookie_name(name.to_owned())
        .cookie_secure(https)
        .cookie_http_only(true)
        .cookie_same_site(SameSite::Lax)
        .cookie_path("/".to_owned())
        .cookie_content_security(CookieContentSecurity::Signed)
        .session_lifecycle(
            BrowserSession::default().state_ttl(Duration::minutes(i64::from(app.config.session_idle_minutes))),
        )
        .build()
}

fn hash(key: &str) -> String {
    hex::encode(Sha256::digest(key.as_bytes()))
}

fn user_of(state: &State) -> Option<i64> {
    state.get(USER).and_then(|id| id.parse().ok())
}

/// The `credentials_version` that a session's state carries.
pub fn credentials_of(state: &str) -> Option<i64> {
    let state: State = serde_json::from_str(state).ok()?;
    state.get(CREDENTIALS)?.parse().ok()
}

/// The public id of the session with this hash.
pub fn public_id(key_hash: &str) -> String {
    key_hash.chars().take(ID_DIGITS).collect()
}

/// Whether this is made like a public id.
pub fn is_public_id(text: &str) -> bool {
    text.len() == ID_DIGITS && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// The public id of this session; absent in one that is not kept yet.
pub fn own_id(session: &Session) -> Option<String> {
    session.get(ID).ok().flatten()
}

/// Begins a user's session, never the visitor's old one.
///
/// # Errors
/// Never in practice: when it cannot be written as JSON.
pub fn begin(req: &HttpRequest, session: &Session, user: &User) -> Result<(), Error> {
    session.clear();
    session.renew();
    session.insert(USER, user.id).map_err(unkept)?;
    session.insert(CREDENTIALS, user.credentials_version).map_err(unkept)?;
    session.insert(CSRF, random_token()).map_err(unkept)?;
    let device = req.headers().get(header::USER_AGENT).and_then(|sent| device::kept(sent.as_bytes()));
    session.insert(DEVICE, device).map_err(unkept)?;
    let address = req.extensions().get::<Caller>().and_then(|caller| caller.address);
    session.insert(ADDRESS, address.map(|address| address.to_string())).map_err(unkept)
}

/// Lets this session go on when what its user proves who they are with was renewed: under a new key, since the
/// old one may be what had to be shut out.
///
/// # Errors
/// As [`begin`].
pub fn go_on(session: &Session, user: &User) -> Result<(), Error> {
    session.renew();
    session.insert(CREDENTIALS, user.credentials_version).map_err(unkept)
}

fn unkept(error: SessionInsertError) -> Error {
    Error::Internal(format!("a session cannot be kept: {error}"))
}

/// Takes a piece out that is not written with the state.
fn take<T: serde::de::DeserializeOwned>(state: &mut State, name: &str) -> Option<T> {
    state.remove(name).and_then(|text| serde_json::from_str(&text).ok())
}

/// 256 random bits in base64.
pub fn random_token() -> String {
    let mut bytes = [0_u8; 32];
    rand::rng().fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Store {
    fn expires(&self, created: Timestamp, now: Timestamp) -> Timestamp {
        let idle = now.plus_seconds(i64::from(self.app.config.session_idle_minutes) * 60);
        idle.min(created.plus_seconds(i64::from(self.app.config.session_max_hours) * 3_600))
    }

    async fn write<F>(&self, work: F) -> Result<usize, anyhow::Error>
    where
        F: FnOnce(&mut crate::db::Conn) -> diesel::QueryResult<usize> + Send + 'static,
    {
        Ok(self.app.db.write(Box::new(move |conn| Ok((work(conn)?, Effects::default())))).await?)
    }
}

impl SessionStore for Store {
    async fn load(&self, key: &SessionKey) -> Result<Option<State>, LoadError> {
        let key_hash = hash(key.as_ref());
        let now = Timestamp::now();
        let found = {
            let key_hash = key_hash.clone();
            self.app.look_up(move |conn| Ok(store::find(conn, &key_hash, now)?)).await
        };
        let Some(session) = found.map_err(|e| LoadError::Other(e.into()))? else { return Ok(None) };
        if session.seen_at.plus_seconds(NOTED_EVERY) < now {
            let expires = self.expires(session.created_at, now);
            self.write(move |conn| store::touch(conn, &key_hash, now, expires)).await.map_err(LoadError::Other)?;
        }
        let unread = |e: serde_json::Error| LoadError::Deserialization(e.into());
        let mut state: State = serde_json::from_str(&session.state).map_err(unread)?;
        let id = public_id(&session.key_hash);
        state.insert(ID.to_owned(), serde_json::to_string(&id).map_err(unread)?);
        state.insert(BEGUN.to_owned(), session.created_at.0.to_string());
        state.insert(DEVICE.to_owned(), serde_json::to_string(&session.device).map_err(unread)?);
        state.insert(ADDRESS.to_owned(), serde_json::to_string(&session.address).map_err(unread)?);
        Ok(Some(state))
    }

    async fn save(&self, mut state: State, _: &Duration) -> Result<SessionKey, SaveError> {
        let key = random_token();
        let now = Timestamp::now();
        state.remove(ID);
        let begun = take(&mut state, BEGUN).map_or(now, Timestamp);
        let (device, address) = (take(&mut state, DEVICE).flatten(), take(&mut state, ADDRESS).flatten());
        let (expires, user) = (self.expires(begun, now), user_of(&state));
        let text = serde_json::to_string(&state).map_err(|e| SaveError::Serialization(e.into()))?;
        let session =
            store::Session { key_hash: hash(&key), state: text, created_at: begun, seen_at: now, device, address };
        self.write(move |conn| store::insert(conn, user, &session, expires)).await.map_err(SaveError::Other)?;
        key.try_into().map_err(|_| SaveError::Other(anyhow::anyhow!("the session's key is too long")))
    }

    async fn update(&self, key: SessionKey, mut state: State, _: &Duration) -> Result<SessionKey, UpdateError> {
        for name in [ID, BEGUN, DEVICE, ADDRESS] {
            state.remove(name);
        }
        let (key_hash, user) = (hash(key.as_ref()), user_of(&state));
        let text = serde_json::to_string(&state).map_err(|e| UpdateError::Serialization(e.into()))?;
        let now = Timestamp::now();
        match self.write(move |conn| store::update(conn, &key_hash, user, &text, now)).await {
            // Ended meanwhile: what it would keep (a flash line) is lost, and it stays ended.
            Ok(_) => Ok(key),
            Err(error) => Err(UpdateError::Other(error)),
        }
    }

    /// The idle time is kept by [`SessionStore::load`].
    async fn update_ttl(&self, _: &SessionKey, _: &Duration) -> Result<(), anyhow::Error> {
        Ok(())
    }

    async fn delete(&self, key: &SessionKey) -> Result<(), anyhow::Error> {
        let key_hash = hash(key.as_ref());
        self.write(move |conn| store::delete(conn, &key_hash)).await.map(drop)
    }
}
