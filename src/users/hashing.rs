//! Threads for hashing passwords. A hash holds a core for up to half a second; without a bound, sixteen
//! sign-ins would take the reads from 61,000 a second to 5,000.

use std::sync::Arc;

use tokio::sync::Semaphore;

use super::model::{NewUser, UserInput};
use super::password;
use crate::error::Error;

/// How many may wait for their turn; one more is told 503.
const QUEUE: usize = 64;

/// The gate to the threads.
#[derive(Clone)]
pub struct Hashing {
    cost: u32,
    running: Arc<Semaphore>,
    admitted: Arc<Semaphore>,
    /// Verified against when there is no such user, so that it takes as long.
    decoy: Arc<str>,
}

impl Hashing {
    /// At most half of the cores hash at once.
    ///
    /// # Errors
    /// When the cost is out of range.
    pub fn new(cost: u32) -> Result<Self, Error> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Ok(Self {
            cost,
            running: Arc::new(Semaphore::new((cores / 2).max(1))),
            admitted: Arc::new(Semaphore::new(QUEUE)),
            decoy: decoy(cost).into(),
        })
    }

    /// A user that can be made of what was typed; nothing is hashed before everything else is right.
    ///
    /// # Errors
    /// 422 with every mistake, a missing password among them; 503 when too many wait.
    pub async fn prepare(&self, mut input: UserInput) -> Result<NewUser, Error> {
        input.require_password();
        self.prepare_or_invite(input).await
    }

    /// The same, but that a password may be absent: such a user is invited by mail and chooses one.
    ///
    /// # Errors
    /// As [`Hashing::prepare`].
    pub async fn prepare_or_invite(&self, input: UserInput) -> Result<NewUser, Error> {
        let password = input.password().cloned();
        let fields = input.onto(None)?;
        let password_hash = match password {
            Some(password) => Some(self.hash(password.expose().to_owned()).await?),
            None => None,
        };
        Ok(NewUser { fields, password_hash })
    }

    /// Hashes a password at today's cost.
    ///
    /// # Errors
    /// 503 when too many wait.
    pub async fn hash(&self, password: String) -> Result<String, Error> {
        let cost = self.cost;
        self.run(move || password::hash(&password, cost)).await?
    }

    /// Whether the password is right, and its new hash when the kept one was cheaper than today's. Without a
    /// hash it takes as long and is wrong.
    ///
    /// # Errors
    /// 503 when too many wait.
    pub async fn verify(&self, password: String, hash: Option<String>) -> Result<(bool, Option<String>), Error> {
        let (cost, decoy) = (self.cost, Arc::clone(&self.decoy));
        self.run(move || {
            let right = password::verify(&password, hash.as_deref().unwrap_or(&decoy)) && hash.is_some();
            let cheap = hash.as_deref().and_then(password::cost).is_some_and(|kept| kept < cost);
            let renewed = if right && cheap { Some(password::hash(&password, cost)?) } else { None };
            Ok((right, renewed))
        })
        .await?
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
        let full = || Error::Unavailable {
            detail: "Too many sign-ins at once. Try again shortly.",
            retry_after: 2,
            reason: format!("{QUEUE} passwords wait to be hashed"),
        };
        let _admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| full())?;
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|_| full())?;
        let (reply, answer) = tokio::sync::oneshot::channel();
        std::thread::Builder::new()
            .name("hashing".to_owned())
            .spawn(move || {
                // Reads come first: the kernel gives this thread what they leave.
                if let Err(error) = rustix::process::nice(10) {
                    log::debug!("nice: {error}");
                }
                let done = work();
                drop(turn);
                drop(reply.send(done));
            })
            .map_err(|e| Error::Internal(format!("no thread for hashing: {e}")))?;
        answer.await.map_err(|_| Error::Internal("hashing ended without an answer".to_owned()))
    }
}

/// A well-formed hash of this cost that no password is known for.
fn decoy(cost: u32) -> String {
    // Salt and digest of nothing but zeros, in bcrypt's base64.
    format!("$2b${cost:02}${}", ".".repeat(53))
}
