//! Answers that may be a little old: kept in memory for as long as they are good, in Redis too when `REDIS_URL`
//! is set, so that several servers give the same one. Of many who ask at once one has it made, the others wait
//! for it. While Redis cannot be asked, each server keeps its own.

mod redis;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::Mutex as Turn;

use self::redis::Redis;
use crate::config::Config;
use crate::error::Error;
use crate::time::Timestamp;

/// For so long nobody tries again what has failed.
const FAILED: Duration = Duration::from_secs(1);

/// An answer, and when it was made.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The answer.
    pub text: Arc<str>,
    /// When it was made.
    pub made: Timestamp,
}

impl Kept {
    /// How old it is, in seconds; by a clock that goes ahead of ours, 0.
    pub fn age(&self) -> u64 {
        u64::try_from((Timestamp::now().0 - self.made.0) / 1_000_000).unwrap_or(0)
    }

    fn is_good(&self, for_seconds: u64) -> bool {
        self.age() < for_seconds
    }
}

#[derive(Default)]
enum Slot {
    #[default]
    Empty,
    Kept(Kept),
    Failed(Instant, Error),
}

/// The answers that are kept, by name.
pub struct Cache {
    slots: Mutex<HashMap<&'static str, Arc<Turn<Slot>>>>,
    redis: Option<Redis>,
}

impl Cache {
    /// Nothing is connected yet. The key names the answers of this installation in a Redis that others use too.
    ///
    /// # Errors
    /// When `REDIS_URL` is none.
    pub fn new(config: &Config, key: [u8; 32]) -> Result<Self, String> {
        let namespace = hex::encode(key.get(..6).unwrap_or_default());
        let redis = config.redis_url.as_ref().map(|url| Redis::new(url, &namespace)).transpose()?;
        Ok(Self { slots: Mutex::default(), redis })
    }

    /// The answer of this name, made anew when it is older than so many seconds.
    ///
    /// # Errors
    /// What making it says; those who ask within the next second are told the same.
    pub async fn get(
        &self,
        name: &'static str,
        for_seconds: u64,
        make: impl Future<Output = Result<String, Error>>,
    ) -> Result<Kept, Error> {
        let turn = Arc::clone(self.slots.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default());
        let mut slot = turn.lock().await;
        match &*slot {
            Slot::Kept(kept) if kept.is_good(for_seconds) => return Ok(kept.clone()),
            Slot::Failed(at, error) if at.elapsed() < FAILED => return Err(error.clone()),
            _ => {}
        }
        if let Some(kept) = self.shared(name).await.filter(|kept| kept.is_good(for_seconds)) {
            *slot = Slot::Kept(kept.clone());
            return Ok(kept);
        }
        let made = Timestamp::now();
        match make.await {
            Ok(text) => {
                let own = Kept { text: text.into(), made };
                let kept = self.share(name, for_seconds, own).await;
                *slot = Slot::Kept(kept.clone());
                Ok(kept)
            }
            Err(error) => {
                *slot = Slot::Failed(Instant::now(), error.clone());
                Err(error)
            }
        }
    }

    async fn shared(&self, name: &str) -> Option<Kept> {
        self.redis.as_ref()?.get(name).await
    }

    /// Gives it to the others; of two that were made at once the first is everybody's.
    async fn share(&self, name: &str, for_seconds: u64, own: Kept) -> Kept {
        let Some(redis) = &self.redis else { return own };
        if redis.put(name, for_seconds, &own).await {
            return own;
        }
        redis.get(name).await.filter(|kept| kept.is_good(for_seconds)).unwrap_or(own)
    }
}
