//! What a handler is given: the settings, the keys, and three verbs for the database.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, OnceLock};

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use tokio::sync::{Notify, Semaphore};

use crate::cache::Cache;
use crate::caller::Caller;
use crate::changes::Tx;
use crate::config::{Config, Secret};
use crate::db::{Conn, Db};
use crate::error::Error;
use crate::limits::Limits;
use crate::live::Hub;
use crate::storage::Storage;

/// So many imports at once.
const IMPORTS: usize = 2;

/// The running product.
pub struct App {
    /// Every setting.
    pub config: Config,
    /// The database.
    pub db: Arc<Db>,
    /// Who listens to what happens.
    pub live: Arc<Hub>,
    /// Tells this process from others on the same database.
    instance: String,
    /// Told when jobs were put into the queue.
    pub jobs: Arc<Notify>,
    /// Told when webhooks have something to be told of.
    pub deliveries: Arc<Notify>,
    /// Where uploads lie.
    pub storage: Storage,
    /// How much is too much.
    pub limits: Limits,
    /// Answers that may be a little old.
    pub cache: Cache,
    /// Who may import: a few at once, the others wait.
    pub imports: Arc<Semaphore>,
    /// By [`KeyUse`], made once: each is an HMAC.
    keys: [[u8; 32]; 7],
    /// Where it listens, once it does.
    address: OnceLock<SocketAddr>,
    /// SHA-256 of the one-time token that lets somebody make the first admin.
    setup: Mutex<Option<[u8; 32]>>,
}

/// What a key is for. Each use has its own, so that a signature of one is worth nothing in another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyUse {
    /// Access tokens.
    Tokens,
    /// List cursors.
    Cursors,
    /// Forms before there is a session.
    Forms,
    /// The cookie that names the session.
    SessionCookie,
    /// The secrets of two-factor sign-in, where they lie.
    SecondFactors,
    /// Answers that are kept to be given again.
    Answers,
    /// The signing secrets of webhooks, where they lie.
    Webhooks,
}

impl KeyUse {
    const ALL: [Self; 7] = [
        Self::Tokens,
        Self::Cursors,
        Self::Forms,
        Self::SessionCookie,
        Self::SecondFactors,
        Self::Answers,
        Self::Webhooks,
    ];

    fn derive(self, secret: &Secret) -> [u8; 32] {
        let name: &[u8] = match self {
            Self::Tokens => b"stockroom tokens 1",
            Self::Cursors => b"stockroom cursors 1",
            Self::Forms => b"stockroom forms 1",
            Self::SessionCookie => b"stockroom session cookie 1",
            Self::SecondFactors => b"stockroom second factors 1",
            Self::Answers => b"stockroom answers 1",
            Self::Webhooks => b"stockroom webhooks 1",
        };
        hmac_sha256(secret.expose(), name)
    }
}

impl App {
    /// Opens the database; its schema must be in place.
    ///
    /// # Errors
    /// When the database cannot be reached.
    pub fn open(config: Config, secret: &Secret) -> Result<Arc<Self>, Error> {
        let db = Arc::new(Db::open(&config)?);
        let keys = KeyUse::ALL.map(|key_use| key_use.derive(secret));
        let limits_key = hmac_sha256(secret.expose(), b"stockroom limits 1");
        let limits = Limits::new(&config, limits_key).map_err(Error::Internal)?;
        let cache_key = hmac_sha256(secret.expose(), b"stockroom cache 1");
        let cache = Cache::new(&config, cache_key).map_err(Error::Internal)?;
        let storage = Storage::new(config.data_dir.join("uploads"));
        Ok(Arc::new(Self {
            cache,
            config,
            storage,
            db,
            limits,
            live: Arc::default(),
            instance: hex::encode(rand::random::<[u8; 8]>()),
            imports: Arc::new(Semaphore::new(IMPORTS)),
            jobs: Arc::new(Notify::new()),
            deliveries: Arc::new(Notify::new()),
            keys,
            address: OnceLock::new(),
            setup: Mutex::new(None),
        }))
    }

    /// The key for a use, derived from `SECRET_KEY` (HMAC-SHA-256 of the use's name).
    pub fn key(&self, key_use: KeyUse) -> [u8; 32] {
        let [tokens, cursors, forms, cookie, second_factors, answers, webhooks] = self.keys;
        match key_use {
            KeyUse::Tokens => tokens,
            KeyUse::Cursors => cursors,
            KeyUse::Forms => forms,
            KeyUse::SessionCookie => cookie,
            KeyUse::SecondFactors => second_factors,
            KeyUse::Answers => answers,
            KeyUse::Webhooks => webhooks,
        }
    }

    /// The key for a use, derived from `SECRET_KEY_PREVIOUS`, if that is set.
    pub fn previous_key(&self, key_use: KeyUse) -> Option<[u8; 32]> {
        self.config.secret_key_previous.as_ref().map(|secret| key_use.derive(secret))
    }

    /// A read that an index bounds: see [`Db::look_up`].
    ///
    /// # Errors
    /// What the work says, or 503.
    pub async fn look_up<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T, Error> + Send + 'static,
    {
        self.db.look_up(work).await
    }

    /// A read that may take long: see [`Db::read`].
    ///
    /// # Errors
    /// What the work says, or 503.
    pub async fn read<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T, Error> + Send + 'static,
    {
        self.db.read(work).await
    }

    /// An act: all of it or nothing, answered when it is on disk.
    ///
    /// # Errors
    /// What the work says, or 503.
    pub async fn write<T, F>(&self, caller: &Caller, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        let caller = caller.clone();
        let act = move |conn: &mut Conn| {
            let (answer, effects) = Tx::run(conn, &caller, work)?;
            Ok(((answer, effects.wakes(), effects.changed()), effects))
        };
        let (answer, wakes, changed) = self.db.write(Box::new(act)).await?;
        if wakes {
            self.jobs.notify_one();
            self.deliveries.notify_one();
        }
        if let Some(batch) = changed {
            self.live.committed(batch);
        }
        Ok(answer)
    }

    /// What tells this process from others on the same database.
    pub fn instance(&self) -> &str {
        &self.instance
    }

    /// Says where the server listens.
    pub fn set_address(&self, address: SocketAddr) {
        // A server binds once; a second address would be no news.
        self.address.set(address).ok();
    }

    /// Where links in mails lead to: `BASE_URL`, or where the server listens. Never what a request says its
    /// host is.
    pub fn base_url(&self) -> String {
        match (&self.config.base_url, self.address.get()) {
            (Some(url), _) => url.clone(),
            (None, Some(address)) => format!("http://{address}"),
            (None, None) => format!("http://{}", SocketAddr::from((self.config.host, self.config.port))),
        }
    }

    /// Keeps the hash of the token that opens the set-up page, or forgets it.
    pub fn set_setup_token(&self, hash: Option<[u8; 32]>) {
        if let Ok(mut kept) = self.setup.lock() {
            *kept = hash;
        }
    }

    /// The hash of the token that opens the set-up page, while there is one.
    pub fn setup_token(&self) -> Option<[u8; 32]> {
        self.setup.lock().ok().and_then(|kept| *kept)
    }
}

/// HMAC-SHA-256 (RFC 2104); a key of any length.
pub fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut mac = match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => mac,
        // HMAC takes keys of every length.
        Err(_) => return [0; 32],
    };
    mac.update(message);
    mac.finalize().into_bytes().into()
}
