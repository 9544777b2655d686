//! How much is too much: how many requests somebody may make, and how many wrong passwords are listened to.
//! Counted in the memory of this process; in Redis, with the same rules, when `REDIS_URL` is set, so that
//! several servers count as one. While Redis cannot be asked, each server counts for itself: neither kind of
//! limit is ever open, and nobody waits for Redis longer than half a second.

mod attempt;
pub mod failures;
mod gate;
mod memory;
mod quota;
mod redis;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use sha2::{Digest as _, Sha256};

pub use attempt::Attempt;
pub use quota::{Quota, Rate, Standing};

use crate::caller::Caller;
use crate::config::Config;
use failures::Failures;
use gate::Gates;
use memory::Memory;
use redis::Redis;

/// So many sign-ins from one address have their password checked at once; more wait for their turn. Each is
/// counted as a failure until it succeeds, so this many right ones at once must be far from the bound.
const AT_ONCE_FROM_ADDRESS: usize = 8;
/// Those to one account are checked one after the other, so that each sees how the one before it ended.
const AT_ONCE_TO_ACCOUNT: usize = 1;

/// Whose requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Key {
    /// A signed-in user, by id.
    User(i64),
    /// The second factor of a user, by id: its failures are not those of the password.
    Code(i64),
    /// An IPv4 address; also one that came as IPv6 (`::ffff:192.0.2.1`).
    V4(u32),
    /// The first 64 bits of an IPv6 address: whoever has one has the whole network.
    V6(u64),
    /// A text, by a hash that only those who have our key can compute.
    Text(u64),
    /// No address is known.
    Unknown,
}

impl Key {
    /// The key of an address.
    pub fn of_address(address: Option<IpAddr>) -> Self {
        match address.map(|address| address.to_canonical()) {
            Some(IpAddr::V4(v4)) => Self::V4(v4.to_bits()),
            Some(IpAddr::V6(v6)) => {
                let [a, b, c, d, ..] = v6.segments();
                Self::V6([a, b, c, d].into_iter().fold(0, |bits, part| bits << 16 | u64::from(part)))
            }
            None => Self::Unknown,
        }
    }

    /// The signed-in user, or else the address.
    pub fn of_caller(caller: &Caller) -> Self {
        caller.user_id().map_or_else(|| Self::of_address(caller.address), Self::User)
    }
}

/// What counts.
pub struct Limits {
    /// `RATE_LIMIT_PER_MINUTE`
    per_minute: u32,
    memory: Option<Memory>,
    redis: Option<Redis>,
    failures: Mutex<Failures>,
    accounts: Arc<Gates>,
    addresses: Arc<Gates>,
    began: Instant,
    key: [u8; 32],
}

impl Limits {
    /// Nothing is connected yet. The key names the counters of this installation in a Redis that others use
    /// too, and hides what they are of.
    ///
    /// # Errors
    /// When `REDIS_URL` is none.
    pub fn new(config: &Config, key: [u8; 32]) -> Result<Self, String> {
        let namespace = hex::encode(Sha256::digest(key).get(..6).unwrap_or_default());
        let redis = config.redis_url.as_ref().map(|url| Redis::new(url, &namespace)).transpose()?;
        let per_minute = config.rate_limit_per_minute;
        Ok(Self {
            per_minute,
            memory: Rate::of(Quota::Anonymous, per_minute).map(|_| Memory::new(per_minute)),
            redis,
            failures: Mutex::default(),
            accounts: Gates::new(AT_ONCE_TO_ACCOUNT),
            addresses: Gates::new(AT_ONCE_FROM_ADDRESS),
            began: Instant::now(),
            key,
        })
    }

    /// Counts a request; absent when requests are not limited (`RATE_LIMIT_PER_MINUTE=0`).
    pub async fn count(&self, quota: Quota, key: Key) -> Option<Standing> {
        let memory = self.memory.as_ref()?;
        let rate = Rate::of(quota, self.per_minute)?;
        if let Some(redis) = &self.redis
            && let Some(standing) = redis.count(quota, rate, key).await
        {
            return Some(standing);
        }
        Some(memory.count(quota, rate, key))
    }

    /// The key of a text: of an e-mail address, of a name that nobody has.
    pub fn text(&self, text: &str) -> Key {
        let digest = Sha256::new_with_prefix(self.key).chain_update(text.as_bytes()).finalize();
        Key::Text(digest.iter().take(8).fold(0, |bits, byte| bits << 8 | u64::from(*byte)))
    }

    /// Forgets what no longer counts, so that the memory stays bounded by the traffic of some minutes.
    pub fn forget_old(&self) {
        if let Some(memory) = &self.memory {
            memory.forget_old();
        }
        let now = self.now();
        self.failures(|failures| failures.forget_old(now));
    }

    /// Microseconds since the start.
    fn now(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_micros()).unwrap_or(i64::MAX)
    }

    fn failures<T>(&self, work: impl FnOnce(&mut Failures) -> T) -> T {
        work(&mut self.failures.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
