//! Browser sessions in the database, for `actix-session`. The key is kept as its SHA-256; a session ends when
//! it was idle too long, and in any case after its longest time.

use std::collections::HashMap;
use std::sync::Arc;

use actix_session::SessionMiddleware;
use actix_session::config::{BrowserSession, CookieContentSecurity};
use actix_session::storage::{LoadError, SaveError, SessionKey, SessionStore, UpdateError};
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Key, SameSite};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng as _;
use sha2::{Digest as _, Sha256};

use super::store;
use crate::app::{App, KeyUse};
use crate::db::Effects;
use crate::time::Timestamp;

/// Where the session keeps the user's id.
pub const USER: &str = "user";
/// Where it keeps the user's `credentials_version` at sign-in.
pub const CREDENTIALS: &str = "credentials";
/// Where it keeps the token that its forms carry.
pub const CSRF: &str = "csrf";
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
        serde_json::from_str(&session.state).map(Some).map_err(|e| LoadError::Deserialization(e.into()))
    }

    async fn save(&self, state: State, _: &Duration) -> Result<SessionKey, SaveError> {
        let key = random_token();
        let now = Timestamp::now();
        let (key_hash, expires, user) = (hash(&key), self.expires(now, now), user_of(&state));
        let text = serde_json::to_string(&state).map_err(|e| SaveError::Serialization(e.into()))?;
        self.write(move |conn| store::insert(conn, &key_hash, user, &text, now, expires))
            .await
            .map_err(SaveError::Other)?;
        key.try_into().map_err(|_| SaveError::Other(anyhow::anyhow!("the session's key is too long")))
    }

    async fn update(&self, key: SessionKey, state: State, _: &Duration) -> Result<SessionKey, UpdateError> {
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
