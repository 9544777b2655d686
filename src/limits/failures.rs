//! Failed sign-ins counted in this process. An attempt is a failure from its beginning, so that those made at
//! the same time cannot all slip through; it is given back when the password was right. The rules are those of
//! the script in `redis.rs`, which counts for several servers.

use std::collections::HashMap;

use super::Key;

/// So many failures cost nothing but themselves.
pub const FREE: u32 = 5;
/// Microseconds without a failure after which an account's are forgotten: 15 minutes.
pub const FORGOTTEN: i64 = 900 * SECOND;
/// The longest wait after a failure, in microseconds: 5 minutes.
pub const LONGEST: i64 = 300 * SECOND;
/// So many failures an address may have at once …
pub const ADDRESS_BURST: i64 = 30;
/// … and one more each time so many microseconds have passed: 30 in 15 minutes.
pub const ADDRESS_INTERVAL: i64 = 30 * SECOND;

const SECOND: i64 = 1_000_000;

/// What is kept. All times are microseconds since any one moment.
#[derive(Debug, Default)]
pub struct Failures {
    accounts: HashMap<Key, Account>,
    /// When each address will have no failure left that counts (the "theoretical arrival time" of GCRA).
    addresses: HashMap<Key, i64>,
}

#[derive(Debug, Clone, Copy)]
struct Account {
    count: u32,
    last: i64,
}

/// How an account and an address stand, wherever that is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct State {
    /// The microseconds after which an attempt will be listened to; 0 or less: this one was, and is counted.
    pub wait: i64,
    /// The account's failures.
    pub count: u32,
    /// Microseconds since the last of them.
    pub age: i64,
    /// Microseconds until the address has no failure left that counts.
    pub debt: i64,
}

/// How long an account with so many failures waits after the last one: 2, 4, 8 … 300 seconds.
pub fn wait_after(count: u32) -> i64 {
    match count.checked_sub(FREE) {
        Some(over) => (SECOND << (over.min(20) + 1)).min(LONGEST),
        None => 0,
    }
}

impl Failures {
    /// Counts an attempt as failed, unless it has to wait.
    pub fn begin(&mut self, account: Key, address: Key, now: i64) -> State {
        let known = self.accounts.get(&account).filter(|known| now - known.last < FORGOTTEN);
        let mut known = known.copied().unwrap_or(Account { count: 0, last: now });
        let clear = self.addresses.get(&address).copied().unwrap_or(now).max(now);
        let of_account = match known.count {
            0..FREE => 0,
            count => known.last + wait_after(count) - now,
        };
        let of_address = clear + ADDRESS_INTERVAL - ADDRESS_BURST * ADDRESS_INTERVAL - now;
        let wait = of_account.max(of_address);
        let mut debt = clear - now;
        if wait <= 0 {
            known = Account { count: known.count + 1, last: now };
            debt += ADDRESS_INTERVAL;
            self.accounts.insert(account, known);
            self.addresses.insert(address, now + debt);
        }
        State { wait, count: known.count, age: now - known.last, debt }
    }

    /// The password was right: nothing is left of the account's failures, and the attempt counts no longer
    /// against the address.
    pub fn succeed(&mut self, account: Key, address: Key) {
        self.accounts.remove(&account);
        self.relieve(address);
    }

    /// The attempt came to nothing through no fault of who made it.
    pub fn give_back(&mut self, account: Key, address: Key) {
        if let Some(known) = self.accounts.get_mut(&account) {
            known.count = known.count.saturating_sub(1);
        }
        self.relieve(address);
    }

    fn relieve(&mut self, address: Key) {
        if let Some(clear) = self.addresses.get_mut(&address) {
            *clear -= ADDRESS_INTERVAL;
        }
    }

    /// Takes over what others have counted, to go on from there when they cannot be asked.
    pub fn learn(&mut self, account: Key, address: Key, state: State, now: i64) {
        self.accounts.insert(account, Account { count: state.count, last: now - state.age });
        self.addresses.insert(address, now + state.debt);
    }

    /// Forgets what no longer counts.
    pub fn forget_old(&mut self, now: i64) {
        self.accounts.retain(|_, known| known.count > 0 && now - known.last < FORGOTTEN);
        self.addresses.retain(|_, clear| *clear > now);
        self.accounts.shrink_to_fit();
        self.addresses.shrink_to_fit();
    }
}
