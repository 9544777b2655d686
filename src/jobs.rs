//! The durable queue: what has to happen because of a write (mail, and whatever else may fail and be tried
//! again) is recorded in the transaction of its cause, so it happens at least once, also after a crash. Only
//! which and for whom is recorded, never a secret.

mod store;
pub mod worker;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::db::Conn;
use crate::error::Error;
use crate::time::Timestamp;

/// A kind of background work; its fields say for what.
pub trait Job: Serialize + DeserializeOwned + Send + 'static {
    /// Its name in the queue.
    const KIND: &'static str;
}

/// Records a job in the transaction that is open on `conn`.
///
/// # Errors
/// Only the database's.
pub fn enqueue<J: Job>(conn: &mut Conn, job: &J, now: Timestamp) -> Result<(), Error> {
    let payload = serde_json::to_string(job).map_err(|e| Error::Internal(format!("a job cannot be written: {e}")))?;
    store::insert(conn, J::KIND, &payload, now)?;
    Ok(())
}

/// Why a job was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It may work later.
    Retry(String),
    /// It never will.
    Park(String),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Retry(error.to_string())
    }
}
