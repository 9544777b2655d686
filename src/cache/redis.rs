//! The same in Redis. When it does not answer, it is left alone for a second.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, Cmd, FromRedisValue, RedisError};

use super::Kept;
use crate::config::RedisUrl;
use crate::time::Timestamp;

/// Longer than this nobody waits for Redis.
const PATIENCE: Duration = Duration::from_millis(500);
/// For so many milliseconds Redis is left alone after it did not answer.
const PAUSE: i64 = 1_000;

/// The way to Redis.
pub struct Redis {
    client: Client,
    /// Made by the first who needs it, and anew after each failure.
    connection: Mutex<Option<ConnectionManager>>,
    namespace: String,
    began: Instant,
    /// When Redis may be asked again, in milliseconds since `began`.
    asked_again: AtomicI64,
}

impl Redis {
    /// Nothing is connected yet.
    ///
    /// # Errors
    /// When the URL is none.
    pub fn new(url: &RedisUrl, namespace: &str) -> Result<Self, String> {
        Ok(Self {
            client: Client::open(url.expose()).map_err(|e| format!("REDIS_URL: {e}"))?,
            connection: Mutex::default(),
            namespace: format!("stockroom:{namespace}:cache"),
            began: Instant::now(),
            asked_again: AtomicI64::new(0),
        })
    }

    /// What is kept under this name.
    pub async fn get(&self, name: &str) -> Option<Kept> {
        let mut get = redis::cmd("GET");
        get.arg(self.name(name));
        let kept: String = self.ask::<Option<String>>(&get).await??;
        let (made, text) = kept.split_once('\n')?;
        Some(Kept { text: text.into(), made: Timestamp(made.parse().ok()?) })
    }

    /// Keeps an answer for so long, unless one is kept already; whether this one is.
    pub async fn put(&self, name: &str, for_seconds: u64, kept: &Kept) -> bool {
        let mut set = redis::cmd("SET");
        let value = format!("{}\n{}", kept.made.0, kept.text);
        set.arg(self.name(name)).arg(value).arg("EX").arg(for_seconds).arg("NX");
        matches!(self.ask::<Option<String>>(&set).await, Some(Some(_)))
    }

    fn name(&self, name: &str) -> String {
        format!("{}:{name}", self.namespace)
    }

    async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Option<T> {
        if self.now() < self.asked_again.load(Ordering::Relaxed) {
            return None;
        }
        let answer = tokio::time::timeout(PATIENCE, async {
            let mut connection = self.connection()?;
            command.query_async(&mut connection).await
        });
        let reason = match answer.await {
            Ok(Ok(found)) => return Some(found),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        self.asked_again.store(self.now().saturating_add(PAUSE), Ordering::Relaxed);
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = None;
        log::debug!("Redis cannot be asked for answers that are kept ({reason})");
        None
    }

    fn connection(&self) -> Result<ConnectionManager, RedisError> {
        let mut kept = self.connection.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = &*kept {
            return Ok(connection.clone());
        }
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE))
            .set_number_of_retries(0);
        let connection = ConnectionManager::new_lazy_with_config(self.client.clone(), config)?;
        Ok(kept.insert(connection).clone())
    }

    fn now(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}
