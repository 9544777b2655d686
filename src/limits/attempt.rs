//! One attempt to prove who one is, from the permission to make it to its end.

use super::gate::Turn;
use super::{Key, Limits, quota};
use crate::error::Error;

/// An attempt that may be made. It counts as a failure, also when it is dropped half-way, unless it ends with
/// [`Attempt::succeeded`] or [`Attempt::given_back`].
#[must_use]
pub struct Attempt<'l> {
    limits: &'l Limits,
    account: Key,
    address: Key,
    _turns: (Turn, Turn),
}

impl Limits {
    /// Asks to try a secret (a password, a code) of an account from an address. After [`failures::FREE`] failures
    /// each further one makes the account wait twice as long, and an address has its own bound; it never depends
    /// on whether the account exists or the secret is right.
    ///
    /// [`failures::FREE`]: super::failures::FREE
    ///
    /// # Errors
    /// 429 while it has to wait, 503 when too many try at once.
    pub async fn attempt(&self, account: Key, address: Key) -> Result<Attempt<'_>, Error> {
        // The account first: who waits for it must not keep others of the address out.
        let turns = (self.accounts.enter(account).await?, self.addresses.enter(address).await?);
        let counted = match &self.redis {
            Some(redis) => redis.begin(account, address).await,
            None => None,
        };
        let now = self.now();
        let state = self.failures(|failures| match counted {
            Some(state) => {
                failures.learn(account, address, state, now);
                state
            }
            None => failures.begin(account, address, now),
        });
        if state.wait <= 0 {
            return Ok(Attempt { limits: self, account, address, _turns: turns });
        }
        let retry_after = quota::seconds(state.wait);
        let unit = if retry_after == 1 { "second" } else { "seconds" };
        Err(Error::TooManyRequests {
            detail: format!("Too many failed attempts. Try again in {retry_after} {unit}."),
            retry_after,
        })
    }
}

impl Attempt<'_> {
    /// The secret was right: the account's failures are forgotten.
    pub async fn succeeded(self) {
        self.limits.failures(|failures| failures.succeed(self.account, self.address));
        if let Some(redis) = &self.limits.redis {
            redis.end(self.account, self.address, true).await;
        }
    }

    /// It could not be found out whether the secret is right.
    pub async fn given_back(self) {
        self.limits.failures(|failures| failures.give_back(self.account, self.address));
        if let Some(redis) = &self.limits.redis {
            redis.end(self.account, self.address, false).await;
        }
    }
}
