//! The same counted in Redis, for several servers. Each count is one script, which Redis runs as a whole, by
//! Redis's own clock. When Redis does not answer, nobody is asked for a second; then one request tries again.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::{Client, FromRedisValue, Script, ScriptInvocation};

use super::failures::{ADDRESS_BURST, ADDRESS_INTERVAL, FORGOTTEN, FREE, LONGEST, State};
use super::{Key, Quota, Rate, Standing};
use crate::config::RedisUrl;

/// Longer than this nobody waits for Redis.
const PATIENCE: Duration = Duration::from_millis(500);
/// For so many milliseconds Redis is left alone after it did not answer.
const PAUSE: i64 = 1_000;

/// GCRA: {microseconds to wait or 0, how many are left}.
const COUNT: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval, burst = tonumber(ARGV[1]), tonumber(ARGV[2])
local clear = math.max(tonumber(redis.call('GET', KEYS[1]) or '0'), now)
local wait = clear + interval - burst * interval - now
if wait > 0 then return { wait, 0 } end
clear = clear + interval
redis.call('SET', KEYS[1], string.format('%.0f', clear), 'PX', math.ceil((clear - now) / 1000))
return { 0, math.floor((burst * interval - (clear - now)) / interval) }
";

/// `Failures::begin`: {wait, count, age, debt}.
const BEGIN: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local free, forgotten, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local interval, burst = tonumber(ARGV[4]), tonumber(ARGV[5])
local count = tonumber(redis.call('HGET', KEYS[1], 'count') or '0')
local last = tonumber(redis.call('HGET', KEYS[1], 'last') or '0')
if now - last >= forgotten then count, last = 0, now end
local clear = math.max(tonumber(redis.call('GET', KEYS[2]) or '0'), now)
local wait = 0
if count >= free then wait = last + math.min(2 ^ (count - free + 1) * 1000000, longest) - now end
wait = math.max(wait, clear + interval - burst * interval - now)
if wait <= 0 then
  count, last, clear = count + 1, now, clear + interval
  redis.call('HSET', KEYS[1], 'count', count, 'last', string.format('%.0f', last))
  redis.call('PEXPIRE', KEYS[1], math.ceil(forgotten / 1000))
  redis.call('SET', KEYS[2], string.format('%.0f', clear), 'PX', math.ceil((clear - now) / 1000))
end
return { wait, count, now - last, clear - now }
";

/// `Failures::succeed` (ARGV[1] is 1) and `Failures::give_back`.
const END: &str = r"
if ARGV[1] == '1' then
  redis.call('DEL', KEYS[1])
elseif redis.call('EXISTS', KEYS[1]) == 1 and redis.call('HINCRBY', KEYS[1], 'count', -1) <= 0 then
  redis.call('DEL', KEYS[1])
end
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local clear = tonumber(redis.call('GET', KEYS[2]) or '0') - tonumber(ARGV[2])
if clear > now then
  redis.call('SET', KEYS[2], string.format('%.0f', clear), 'PX', math.ceil((clear - now) / 1000))
else
  redis.call('DEL', KEYS[2])
end
return 1
";

/// The way to Redis.
pub struct Redis {
    client: Client,
    /// Made by the first who needs it, and anew after each failure: one that could not be opened (Redis still
    /// loads its data) stays so.
    connection: Mutex<Option<ConnectionManager>>,
    namespace: String,
    count: Script,
    begin: Script,
    end: Script,
    began: Instant,
    is_down: AtomicBool,
    /// When Redis is asked again, in milliseconds since `began`.
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
            namespace: format!("stockroom:{namespace}"),
            count: Script::new(COUNT),
            begin: Script::new(BEGIN),
            end: Script::new(END),
            began: Instant::now(),
            is_down: AtomicBool::new(false),
            asked_again: AtomicI64::new(0),
        })
    }

    /// Counts a request; absent when Redis cannot be asked.
    pub async fn count(&self, quota: Quota, rate: Rate, key: Key) -> Option<Standing> {
        let mut script = self.count.key(self.name(quota.name(), key));
        script.arg(rate.interval()).arg(rate.count);
        let (wait, remaining): (i64, u32) = self.ask(&script).await?;
        Some(match wait {
            ..=0 => Standing::admitted(quota, rate, remaining),
            wait => Standing::refused(quota, rate, wait),
        })
    }

    /// Counts an attempt as failed, unless it has to wait; absent when Redis cannot be asked.
    pub async fn begin(&self, account: Key, address: Key) -> Option<State> {
        let mut script = self.begin.key(self.name("account", account));
        script.key(self.name("address", address));
        script.arg(FREE).arg(FORGOTTEN).arg(LONGEST).arg(ADDRESS_INTERVAL).arg(ADDRESS_BURST);
        let (wait, count, age, debt) = self.ask(&script).await?;
        Some(State { wait, count, age, debt })
    }

    /// Ends an attempt that was no failure.
    pub async fn end(&self, account: Key, address: Key, succeeded: bool) {
        let mut script = self.end.key(self.name("account", account));
        script.key(self.name("address", address)).arg(i32::from(succeeded)).arg(ADDRESS_INTERVAL);
        // Down, it has been said already; what stays counted there is forgotten in time.
        let _: Option<i64> = self.ask(&script).await;
    }

    fn name(&self, what: &str, key: Key) -> String {
        let namespace = &self.namespace;
        match key {
            Key::User(id) => format!("{namespace}:{what}:user:{id}"),
            Key::Code(id) => format!("{namespace}:{what}:code:{id}"),
            Key::V4(bits) => format!("{namespace}:{what}:ip4:{bits:08x}"),
            Key::V6(bits) => format!("{namespace}:{what}:ip6:{bits:016x}"),
            Key::Text(hash) => format!("{namespace}:{what}:text:{hash:016x}"),
            Key::Unknown => format!("{namespace}:{what}:unknown"),
        }
    }

    async fn ask<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Option<T> {
        if self.is_down.load(Ordering::Relaxed) && !self.is_my_turn() {
            return None;
        }
        let answer = tokio::time::timeout(PATIENCE, async {
            let mut connection = self.connection()?;
            script.invoke_async(&mut connection).await
        });
        match answer.await {
            Ok(Ok(found)) => {
                if self.is_down.swap(false, Ordering::Relaxed) {
                    log::info!("Redis answers again: limits are counted there");
                }
                Some(found)
            }
            Ok(Err(error)) => self.is_gone(&error.to_string()),
            Err(_) => self.is_gone("no answer in time"),
        }
    }

    fn connection(&self) -> Result<ConnectionManager, redis::RedisError> {
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

    /// Whether the pause is over and nobody else tries already.
    fn is_my_turn(&self) -> bool {
        let (now, due) = (self.now(), self.asked_again.load(Ordering::Relaxed));
        let next = now.saturating_add(PAUSE);
        now >= due && self.asked_again.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn is_gone<T>(&self, reason: &str) -> Option<T> {
        self.asked_again.store(self.now().saturating_add(PAUSE), Ordering::Relaxed);
        *self.connection.lock().unwrap_or_else(PoisonError::into_inner) = None;
        if !self.is_down.swap(true, Ordering::Relaxed) {
            log::warn!("Redis cannot be asked ({reason}): until it can, this server counts limits for itself");
        }
        None
    }

    fn now(&self) -> i64 {
        i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX)
    }
}
