//! Requests counted in this process.

use std::num::NonZeroU32;
use std::time::Duration;

use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota as Bucket, RateLimiter};

use super::{Key, Quota, Rate, Standing};

type Buckets = RateLimiter<Key, DefaultKeyedStateStore<Key>, DefaultClock, StateInformationMiddleware>;

/// The buckets of every quota.
pub struct Memory {
    clock: DefaultClock,
    /// By [`Quota::index`].
    buckets: Vec<Buckets>,
}

impl Memory {
    /// All buckets full. `per_minute` is not 0.
    pub fn new(per_minute: u32) -> Self {
        let buckets = Quota::ALL.into_iter().filter_map(|quota| {
            let rate = Rate::of(quota, per_minute)?;
            let interval = Duration::from_micros(rate.interval().unsigned_abs());
            let bucket = Bucket::with_period(interval)?.allow_burst(NonZeroU32::new(rate.count)?);
            Some(RateLimiter::keyed(bucket).with_middleware::<StateInformationMiddleware>())
        });
        Self { clock: DefaultClock::default(), buckets: buckets.collect() }
    }

    /// Takes one out.
    pub fn count(&self, quota: Quota, rate: Rate, key: Key) -> Standing {
        let Some(buckets) = self.buckets.get(quota.index()) else {
            return Standing::refused(quota, rate, i64::from(rate.window) * 1_000_000);
        };
        match buckets.check_key(&key) {
            Ok(left) => Standing::admitted(quota, rate, left.remaining_burst_capacity()),
            Err(until) => {
                let wait = until.wait_time_from(self.clock.now());
                Standing::refused(quota, rate, i64::try_from(wait.as_micros()).unwrap_or(i64::MAX))
            }
        }
    }

    /// Forgets the buckets that are full again.
    pub fn forget_old(&self) {
        for buckets in &self.buckets {
            buckets.retain_recent();
            buckets.shrink_to_fit();
        }
    }
}
