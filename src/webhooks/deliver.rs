//! Who delivers: makes deliveries of what there is to tell, and sends them. Each endpoint has one place of its own,
//! in which its deliveries go one after the other; one that hangs keeps nobody else waiting, and there are no more
//! places than webhooks. Two servers on one PostgreSQL share the work; what one that was killed had is given to
//! another when its lease runs out.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use actix_web::rt::task::JoinHandle;
use rand::Rng as _;
use tokio::sync::oneshot;

use super::model::State;
use super::send::{Attempt, Sender};
use super::service;
use super::signature::Keys;
use super::store;
use super::store::queue::{self, Outcome};
use crate::app::App;
use crate::caller::Caller;
use crate::db::{Conn, Effects};
use crate::error::Error;
use crate::time::Timestamp;
use crate::web::request_id;

/// How often is looked for something when nobody says that there is: another process may have written it, and what
/// failed comes due.
const LOOKED_AT_EVERY: Duration = Duration::from_secs(1);
/// So many deliveries of one endpoint are taken on at once,
const AT_ONCE: i64 = 16;
/// and no further one of them is begun after this time, well before the lease ends with a last one that hangs.
const BATCH: Duration = Duration::from_secs(10);
/// For so long a delivery that was taken on is nobody else's, in seconds.
const LEASE: i64 = 40;
/// How long attempts under way may take after a SIGTERM before they go back to the queue.
const LAST_ATTEMPTS: Duration = Duration::from_secs(5);
/// The pauses after each failure, in seconds: as Standard Webhooks proposes, ten attempts in about three days.
const PAUSES: [i64; 9] = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
/// An endpoint that fails is left alone for so long, doubled with each failure in a row,
const FIRST_REST: Duration = Duration::from_millis(250);
/// up to this.
const LONGEST_REST: Duration = Duration::from_secs(5);
/// Settled deliveries are kept for so long, in seconds.
const KEPT: i64 = 30 * 24 * 3_600;
/// How often older ones are removed.
const SWEEP: Duration = Duration::from_secs(600);

/// A deliverer that is being set up.
pub struct Deliverer {
    app: Arc<App>,
    keys: Keys,
    sender: Sender,
    /// By which this process's work is known.
    lease: String,
    endpoints: RefCell<HashMap<i64, Endpoint>>,
    stopping: Cell<bool>,
}

/// What is known of an endpoint while it is sent to or fails.
#[derive(Debug, Clone, Copy)]
struct Endpoint {
    busy: bool,
    failures: u32,
    rests_until: Instant,
}

/// A deliverer at work.
pub struct Delivering {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Deliverer {
    /// One for this product.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(app: &Arc<App>) -> Result<Self, String> {
        let mut bytes = [0_u8; 12];
        rand::rng().fill_bytes(&mut bytes);
        let keys = Keys::of(app);
        Ok(Self {
            sender: Sender::new(keys.clone(), app.config.webhook_allow_private)?,
            app: Arc::clone(app),
            keys,
            lease: hex::encode(bytes),
            endpoints: RefCell::new(HashMap::new()),
            stopping: Cell::new(false),
        })
    }

    /// Begins. Must be called inside an actix system. `alone` says that no other process works on this database, so
    /// that what a killed forerunner had can be done at once.
    pub fn start(self, alone: bool) -> Delivering {
        let (stop, stopped) = oneshot::channel();
        let task = actix_web::rt::spawn(Rc::new(self).work(alone, stopped));
        Delivering { stop, task }
    }

    async fn work(self: Rc<Self>, alone: bool, mut stopped: oneshot::Receiver<()>) {
        if alone {
            note(self.write(|conn, now| Ok(queue::release_all(conn, now)?)).await, "could not be taken back");
        }
        if self.keys.changed() {
            let keys = self.keys.clone();
            note(self.write(move |conn, _| service::reseal(conn, &keys)).await, "keep secrets under an old key");
        }
        let (mut reachable, mut swept) = (true, None::<Instant>);
        loop {
            let more = match self.step().await {
                Ok(more) => {
                    reachable = true;
                    more
                }
                Err(error) => {
                    if reachable {
                        log::warn!("webhooks cannot be read: {error}");
                    }
                    reachable = false;
                    false
                }
            };
            if reachable && swept.is_none_or(|at| at.elapsed() > SWEEP) {
                swept = Some(Instant::now());
                note(self.sweep().await, "could not be removed");
            }
            let pause = if more { Duration::ZERO } else { LOOKED_AT_EVERY };
            tokio::select! {
                _ = &mut stopped => break,
                () = self.app.deliveries.notified() => {}
                () = actix_web::rt::time::sleep(pause) => {}
            }
        }
        self.stopping.set(true);
        let until = Instant::now() + LAST_ATTEMPTS;
        while self.endpoints.borrow().values().any(|endpoint| endpoint.busy) && Instant::now() < until {
            let left = until.saturating_duration_since(Instant::now());
            let _in_time = actix_web::rt::time::timeout(left, self.app.deliveries.notified()).await;
        }
        let lease = self.lease.clone();
        let given_back = self.write(move |conn, now| Ok(queue::release(conn, None, &lease, now)?)).await;
        note(given_back, "could not be given back to the queue");
    }

    /// Makes some deliveries, and begins to send to every endpoint that something is due for; whether there may be
    /// more to make.
    async fn step(self: &Rc<Self>) -> Result<bool, Error> {
        let now = Timestamp::now();
        let any = self.app.look_up(|conn| Ok(queue::any_fan_out(conn)?)).await?;
        let more = any && self.write(|conn, _| service::fan_out(conn)).await?;
        let due = self.app.look_up(move |conn| Ok(queue::due(conn, now)?)).await?;
        for id in due {
            let free = Instant::now();
            let mut endpoints = self.endpoints.borrow_mut();
            let endpoint = endpoints.entry(id).or_insert(Endpoint { busy: false, failures: 0, rests_until: free });
            if endpoint.busy || endpoint.rests_until > free {
                continue;
            }
            endpoint.busy = true;
            let deliverer = Rc::clone(self);
            actix_web::rt::spawn(async move { deliverer.serve(id).await });
        }
        Ok(more)
    }

    /// Sends to one endpoint, then frees its place.
    async fn serve(&self, id: i64) {
        let well = self.send_some(id).await;
        let mut endpoints = self.endpoints.borrow_mut();
        match well {
            Ok(true) => drop(endpoints.remove(&id)),
            failed => {
                note(failed.map(drop), "could not be noted, they will be sent again");
                if let Some(endpoint) = endpoints.get_mut(&id) {
                    let rest = FIRST_REST.saturating_mul(1 << endpoint.failures.min(10)).min(LONGEST_REST);
                    let failures = endpoint.failures.saturating_add(1);
                    *endpoint = Endpoint { busy: false, failures, rests_until: Instant::now() + rest };
                }
            }
        }
        self.app.deliveries.notify_one();
    }

    /// Sends what is due to one endpoint, one after the other, until one fails; whether all went well.
    async fn send_some(&self, id: i64) -> Result<bool, Error> {
        let lease = self.lease.clone();
        let taken = self.write(move |conn, now| {
            let taken = queue::claim(conn, id, &lease, now, now.plus_seconds(LEASE), AT_ONCE)?;
            Ok((store::find(conn, id)?, taken))
        });
        let (Some(webhook), taken) = taken.await? else { return Ok(true) };
        if taken.is_empty() {
            // Another server sends to it.
            return Ok(false);
        }
        let began = Instant::now();
        let (mut outcomes, mut well) = (Vec::new(), true);
        for delivery in taken {
            if self.stopping.get() || began.elapsed() > BATCH {
                break;
            }
            let attempt = self.sender.attempt(&webhook, &delivery).await;
            well = attempt.error.is_none();
            if let Some(error) = &attempt.error {
                log::info!(
                    "delivery {} to webhook {id} failed, attempt {}: {error}",
                    delivery.id,
                    delivery.attempts + 1
                );
            }
            outcomes.push(outcome(delivery.id, delivery.attempts + 1, attempt));
            if !well {
                break;
            }
        }
        let lease = self.lease.clone();
        let caller = Caller::at_work(request_id::made());
        self.app.write(&caller, move |tx| service::settle(tx, id, &outcomes, &lease)).await?;
        Ok(well)
    }

    /// Removes deliveries that were settled long ago.
    async fn sweep(&self) -> Result<(), Error> {
        let before = Timestamp::now().plus_seconds(-KEPT);
        while self.app.look_up(move |conn| Ok(queue::any_older(conn, before)?)).await? {
            self.write(move |conn, _| Ok(queue::forget(conn, before, 1_000)?)).await?;
        }
        Ok(())
    }

    async fn write<T, F>(&self, work: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(&mut Conn, Timestamp) -> Result<T, Error> + Send + 'static,
    {
        self.app.db.write(Box::new(|conn| Ok((work(conn, Timestamp::now())?, Effects::default())))).await
    }
}

impl Delivering {
    /// Begins nothing more, gives attempts under way a few seconds, and puts the rest back into the queue.
    pub async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            log::warn!("the delivery of webhooks ended badly: {error}");
        }
    }
}

fn note<T>(done: Result<T, Error>, what: &str) {
    if let Err(error) = done {
        log::warn!("deliveries of webhooks {what}: {error}");
    }
}

/// What a delivery becomes by its attempt of this number.
fn outcome(id: i64, attempts: i32, attempt: Attempt) -> Outcome {
    let gone = attempt.status == Some(410);
    let pause = usize::try_from(attempts - 1).ok().and_then(|n| PAUSES.get(n)).filter(|_| !gone);
    let (state, next_at) = match (&attempt.error, pause) {
        (None, _) => (State::Done, None),
        (Some(_), Some(pause)) => (State::Waiting, Some(Timestamp::now().plus_seconds(jittered(*pause)))),
        (Some(_), None) => (State::Failed, None),
    };
    Outcome {
        id,
        state,
        next_at,
        status: attempt.status.map(i32::from),
        error: attempt.error,
        duration_ms: i32::try_from(attempt.took.as_millis()).unwrap_or(i32::MAX),
        response: attempt.response,
        at: attempt.at,
    }
}

/// A tenth more or less, so that what failed together does not come back together.
fn jittered(seconds: i64) -> i64 {
    seconds + rand::random_range(-seconds / 10..=seconds / 10)
}
