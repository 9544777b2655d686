//! Who goes first: so many of each key at once, the rest in the order in which they came.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Key;
use crate::error::Error;

/// How many of one key may wait; one more is told 503.
const QUEUE: usize = 64;

/// A gate for each key that somebody is at.
pub struct Gates {
    at_once: usize,
    gates: Mutex<HashMap<Key, Gate>>,
}

struct Gate {
    turns: Arc<Semaphore>,
    /// Who is inside or waits.
    present: usize,
}

/// A turn; it ends when this is dropped.
pub struct Turn {
    _permit: OwnedSemaphorePermit,
    _presence: Presence,
}

/// Somebody inside or waiting, also if they go away meanwhile.
struct Presence {
    gates: Arc<Gates>,
    key: Key,
}

impl Gates {
    /// So many of one key at once.
    pub fn new(at_once: usize) -> Arc<Self> {
        Arc::new(Self { at_once, gates: Mutex::default() })
    }

    /// Waits for a turn.
    ///
    /// # Errors
    /// 503 when too many wait.
    pub async fn enter(self: &Arc<Self>, key: Key) -> Result<Turn, Error> {
        let full = || Error::Unavailable {
            detail: "Too many sign-ins at once. Try again shortly.",
            retry_after: 2,
            reason: format!("{QUEUE} wait to sign in to one account or from one address"),
        };
        let turns = {
            let mut gates = self.gates.lock().unwrap_or_else(PoisonError::into_inner);
            let gate =
                gates.entry(key).or_insert_with(|| Gate { turns: Arc::new(Semaphore::new(self.at_once)), present: 0 });
            if gate.present >= self.at_once + QUEUE {
                return Err(full());
            }
            gate.present += 1;
            Arc::clone(&gate.turns)
        };
        let presence = Presence { gates: Arc::clone(self), key };
        let permit = turns.acquire_owned().await.map_err(|_| full())?;
        Ok(Turn { _permit: permit, _presence: presence })
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let mut gates = self.gates.gates.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(gate) = gates.get_mut(&self.key) {
            gate.present -= 1;
            if gate.present == 0 {
                gates.remove(&self.key);
            }
        }
    }
}
