//! PostgreSQL over the network: who waits for it, and for how long. A server that is gone answers at once, one
//! that has fallen silent (a cut cable, a stopped machine) never; neither may hold a request.

use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use diesel::connection::SimpleConnection as _;
use tokio::sync::{Mutex, Semaphore, oneshot};
use tokio::time::timeout;

use super::{Conn, PATIENCE, blocking, pool};
use crate::config::DatabaseUrl;
use crate::error::Error;

/// After so long without an answer the server is asked whether it is still there.
const SUSPICIOUS: Duration = Duration::from_millis(1_300);
/// How long it has for saying so.
const SIGN_OF_LIFE: Duration = Duration::from_millis(500);
/// How long a request waits for its turn; with [`PATIENCE`] for the connection itself less than two seconds.
const QUEUE: Duration = Duration::from_millis(1_200);
/// So long the last word on it is believed.
const BELIEVED: Duration = Duration::from_secs(1);
/// No statement may take longer: beyond the server's own `statement_timeout`.
const LONGEST: Duration = Duration::from_secs(35);

/// The server.
pub struct Remote {
    url: DatabaseUrl,
    pool: pool::Pool,
    /// The threads for blocking work have an endless queue, so who cannot have a connection soon is turned away
    /// before it.
    admission: Arc<Semaphore>,
    /// When the server was last asked, and whether it was there.
    alive: Mutex<Option<(Instant, bool)>>,
}

impl Remote {
    /// A pool of so many connections.
    ///
    /// # Errors
    /// When not even one can be opened.
    pub fn new(url: &DatabaseUrl, size: u32) -> Result<Self, Error> {
        Ok(Self {
            url: url.clone(),
            pool: pool::Pool::new(url, size, pool::Access::Write, PATIENCE)?,
            admission: Arc::new(Semaphore::new(size as usize)),
            alive: Mutex::new(None),
        })
    }

    /// Does the work on a connection.
    ///
    /// # Errors
    /// What the work says; 503 when there is no connection, or no answer from a server that gives no sign of
    /// life either.
    pub async fn run<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn) -> Result<T, Error> + Send + 'static,
    {
        let permit = timeout(QUEUE, Arc::clone(&self.admission).acquire_owned())
            .await
            .map_err(|_| Error::database_unavailable("all connections are in use"))?
            .map_err(Error::database_unavailable)?;
        let pool = self.pool.clone();
        let mut work = pin!(blocking(move || {
            let _held = permit;
            pool.with(work)
        }));
        if let Ok(done) = timeout(SUSPICIOUS, &mut work).await {
            return done;
        }
        if self.is_alive().await
            && let Ok(done) = timeout(LONGEST, &mut work).await
        {
            return done;
        }
        Err(Error::Unavailable {
            detail: "The database does not answer. What was sent may or may not have been saved: look before you \
                     send it again.",
            retry_after: 2,
            reason: "no answer from PostgreSQL".to_owned(),
        })
    }

    async fn is_alive(&self) -> bool {
        let ask = async {
            let mut known = self.alive.lock().await;
            if let Some((when, alive)) = *known
                && when.elapsed() < BELIEVED
            {
                return alive;
            }
            let alive = timeout(SIGN_OF_LIFE, sign_of_life(self.url.clone())).await.unwrap_or(false);
            *known = Some((Instant::now(), alive));
            alive
        };
        timeout(SIGN_OF_LIFE + Duration::from_millis(50), ask).await.unwrap_or(false)
    }
}

/// Opens a connection of its own, on a thread of its own: the pool's may all be waiting.
async fn sign_of_life(url: DatabaseUrl) -> bool {
    let (reply, answer) = oneshot::channel();
    let spawned = std::thread::Builder::new().name("sign of life".to_owned()).spawn(move || {
        let alive = pool::open(&url, pool::Access::Write).is_ok_and(|mut conn| conn.batch_execute("SELECT 1").is_ok());
        reply.send(alive).ok();
    });
    spawned.is_ok() && answer.await.unwrap_or(false)
}
