//! Who does the jobs: takes on what is due under a lease, does a few at once, tries again what failed, parks
//! what failed too often. Two workers on one PostgreSQL share the work; what one that was killed had is given
//! to another when its lease runs out.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt::task::JoinHandle;
use rand::Rng as _;
use tokio::sync::{Notify, Semaphore, oneshot};

use super::store::{self, Claimed};
use super::{Failure, Job};
use crate::db::{Conn, Db, Effects};
use crate::error::Error;
use crate::time::Timestamp;

/// How many jobs are done at once.
const AT_ONCE: usize = 8;
/// How often the queue is looked at when nobody says that there is something, since another process may have
/// put it there.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(1);
/// For so long a job that was taken on is nobody else's, in seconds.
const LEASE: i64 = 120;
/// A job that takes longer has failed: well before its lease runs out.
const LONGEST: Duration = Duration::from_secs(90);
/// How long jobs under way may take after a SIGTERM before they go back to the queue.
const LAST_JOBS: Duration = Duration::from_secs(5);
/// The pause after the first failure, in seconds; each further one doubles it.
const FIRST_PAUSE: i64 = 5;
/// The longest pause, in seconds.
const LONGEST_PAUSE: i64 = 3_600;
/// After so many failures a job is parked: with the pauses above, after a day and a half.
const ATTEMPTS: i32 = 46;
/// So much of an error is kept, in characters.
const KEPT_OF_ERROR: usize = 500;

type Answer = Pin<Box<dyn Future<Output = Result<(), Failure>>>>;
type Handler = Box<dyn Fn(&Claimed) -> Answer>;

/// A worker that is being set up.
pub struct Worker {
    db: Arc<Db>,
    wake: Arc<Notify>,
    handlers: HashMap<&'static str, Handler>,
}

/// A worker at work.
pub struct Working {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Worker {
    /// A worker on this database; `wake` tells it of jobs that this process has put into the queue.
    pub fn new(db: Arc<Db>, wake: Arc<Notify>) -> Self {
        Self { db, wake, handlers: HashMap::new() }
    }

    /// Says how a kind of job is done. `does` is given the job's id, the same at each attempt.
    pub fn handle<J, F, A>(mut self, does: F) -> Self
    where
        J: Job,
        F: Fn(i64, J) -> A + 'static,
        A: Future<Output = Result<(), Failure>> + 'static,
    {
        let handler: Handler = Box::new(move |claimed| match serde_json::from_str::<J>(&claimed.payload) {
            Ok(job) => Box::pin(does(claimed.id, job)),
            Err(error) => {
                let reason = format!("its payload cannot be read: {error}");
                Box::pin(async move { Err(Failure::Park(reason)) })
            }
        });
        self.handlers.insert(J::KIND, handler);
        self
    }

    /// Begins. Must be called inside an actix system. `alone` says that no other process works on this queue,
    /// so that what a killed forerunner had can be done at once.
    pub fn start(self, alone: bool) -> Working {
        let (stop, stopped) = oneshot::channel();
        let task = actix_web::rt::spawn(Rc::new(self).work(alone, stopped));
        Working { stop, task }
    }

    async fn work(self: Rc<Self>, alone: bool, mut stopped: oneshot::Receiver<()>) {
        if alone && let Err(error) = self.write(store::release_all).await {
            log::warn!("jobs that were left behind could not be taken back: {error}");
        }
        let places = Arc::new(Semaphore::new(AT_ONCE));
        let mut leases = Vec::new();
        let mut reachable = true;
        loop {
            match self.claim(places.available_permits()).await {
                Ok((lease, claimed)) => {
                    reachable = true;
                    if !claimed.is_empty() {
                        leases.push(lease.clone());
                    }
                    for job in claimed {
                        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { break };
                        let (worker, lease) = (Rc::clone(&self), lease.clone());
                        actix_web::rt::spawn(async move {
                            worker.attempt(&job, &lease).await;
                            drop(place);
                            worker.wake.notify_one();
                        });
                    }
                }
                Err(error) => {
                    if reachable {
                        log::warn!("the queue cannot be read: {error}");
                    }
                    reachable = false;
                }
            }
            if places.available_permits() == AT_ONCE {
                leases.clear();
            }
            tokio::select! {
                _ = &mut stopped => break,
                () = self.wake.notified() => {}
                () = actix_web::rt::time::sleep(LOOKED_AT_EVERY) => {}
            }
        }
        let all = u32::try_from(AT_ONCE).unwrap_or(u32::MAX);
        let _in_time = actix_web::rt::time::timeout(LAST_JOBS, places.acquire_many(all)).await;
        for lease in leases {
            if let Err(error) = self.write(move |conn, now| store::release(conn, &lease, now)).await {
                log::warn!("jobs could not be given back to the queue: {error}");
            }
        }
    }

    /// Takes on what is due; asks first, since claiming is a write.
    async fn claim(&self, free: usize) -> Result<(String, Vec<Claimed>), Error> {
        let lease = lease();
        let due = self.db.look_up(|conn| Ok(store::next_due(conn)?)).await?;
        if free == 0 || due.is_none_or(|at| at > Timestamp::now()) {
            return Ok((lease, Vec::new()));
        }
        let at_most = i64::try_from(free).unwrap_or_default();
        let by = lease.clone();
        let claimed =
            self.write(move |conn, now| store::claim(conn, &by, now, now.plus_seconds(LEASE), at_most)).await?;
        Ok((lease, claimed))
    }

    async fn attempt(&self, job: &Claimed, lease: &str) {
        let done = match self.handlers.get(job.kind.as_str()) {
            Some(handler) => match actix_web::rt::time::timeout(LONGEST, handler(job)).await {
                Ok(done) => done,
                Err(_) => Err(Failure::Retry(format!("it took more than {} seconds", LONGEST.as_secs()))),
            },
            // Another replica, newer or older, may know it.
            None => Err(Failure::Retry("this server does not know this kind of job".to_owned())),
        };
        let (id, lease, attempts) = (job.id, lease.to_owned(), job.attempts);
        let noted = match done {
            Ok(()) => self.write(move |conn, _| store::finish(conn, id, &lease)).await,
            Err(Failure::Retry(reason)) if attempts < ATTEMPTS => {
                log::warn!("job {id} ({}) failed, attempt {attempts}: {reason}", job.kind);
                let reason = cut(&reason);
                self.write(move |conn, now| {
                    store::retry(conn, id, &lease, &reason, now.plus_seconds(pause_after(attempts)))
                })
                .await
            }
            Err(Failure::Retry(reason) | Failure::Park(reason)) => {
                log::error!("job {id} ({}) is given up after attempt {attempts}: {reason}", job.kind);
                let reason = cut(&reason);
                self.write(move |conn, now| store::park(conn, id, &lease, &reason, now)).await
            }
        };
        if let Err(error) = noted {
            log::warn!("what came of job {id} could not be noted, it will be done again: {error}");
        }
    }

    async fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn, Timestamp) -> diesel::QueryResult<T> + Send + 'static,
    {
        self.db.write(Box::new(|conn| Ok((work(conn, Timestamp::now())?, Effects::default())))).await
    }
}

impl Working {
    /// Takes on nothing more, gives jobs under way a few seconds, and puts the rest back into the queue.
    pub async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            log::warn!("the worker ended badly: {error}");
        }
    }
}

/// Twice as long after each failure, up to an hour; a fifth more or less, so that what failed together does not
/// come back together.
fn pause_after(attempts: i32) -> i64 {
    let doublings = u32::try_from(attempts - 1).unwrap_or_default().min(20);
    let seconds = FIRST_PAUSE.saturating_mul(1_i64 << doublings).min(LONGEST_PAUSE);
    seconds + rand::random_range(-seconds / 5..=seconds / 5)
}

fn lease() -> String {
    let mut bytes = [0_u8; 12];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}

fn cut(reason: &str) -> String {
    reason.chars().take(KEPT_OF_ERROR).collect()
}
