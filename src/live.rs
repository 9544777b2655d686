//! The live hub: who listens to what happens. A write says after its commit which changes it made; `events`
//! reads them once for everybody and sends them here; each listener hears what its caller may. Nothing in
//! here is durable: who was away asks the log.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::{Notify, broadcast};

use crate::caller::{Caller, Role, Who};

/// How many listeners there may be at once; one more is told 503.
const LISTENERS: usize = 16_384;
/// How many events may wait for a listener; who is further behind is dropped, and nobody waits for them.
const BEHIND: usize = 1_024;
/// How many batches of changes may wait to be read before they are found by looking.
const BATCHES: usize = 4_096;

/// Changes that were committed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Batch {
    /// Their changeset.
    pub changeset: i64,
    /// The first one's place in it.
    pub from: i32,
    /// The last one's.
    pub to: i32,
}

/// Who may hear an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Whoever may read at all.
    All,
    /// This user, and admins.
    Of(i64),
    /// Admins.
    Admins,
}

/// Something that happened.
#[derive(Debug, Clone)]
pub struct Event {
    /// The changeset and the change's place in it: what a listener goes on from.
    pub id: (i64, i32),
    /// `item.created`
    pub kind: String,
    /// The object as the API shows it, as JSON.
    pub data: Arc<str>,
    /// Who may hear it.
    pub audience: Audience,
    /// Whose rights may have changed by it: their listeners are asked again who they are.
    pub concerns: Option<i64>,
}

impl Event {
    /// Whether a caller may hear it: rights are those of now, when it is sent.
    pub fn is_for(&self, caller: &Caller) -> bool {
        match (self.audience, &caller.who) {
            (Audience::All, _) => true,
            (_, Who::System) => true,
            (Audience::Of(owner), Who::User(user)) => {
                user.role == Role::Admin || user.id == owner && user.role != Role::Guest
            }
            (Audience::Admins, Who::User(user)) => user.role == Role::Admin,
            (_, Who::Anonymous) => false,
        }
    }
}

/// What somebody says to all who are connected.
#[derive(Debug, Clone)]
pub struct Said {
    /// The connection that said it, which does not hear it.
    pub by: u64,
    /// The frame, as JSON.
    pub frame: Arc<str>,
}

/// The hub.
pub struct Hub {
    events: broadcast::Sender<Arc<Event>>,
    said: broadcast::Sender<Said>,
    /// What was committed, and whether it was here.
    batches: Mutex<Vec<(Batch, bool)>>,
    outgoing: Mutex<Vec<Arc<str>>>,
    changed: Notify,
    listeners: AtomicUsize,
    next: AtomicUsize,
    closing: Arc<Notify>,
    closed: std::sync::atomic::AtomicBool,
    /// The last change of each changeset that was sent, so that nothing is sent twice.
    seen: Mutex<HashMap<i64, i32>>,
}

impl Default for Hub {
    fn default() -> Self {
        Self {
            events: broadcast::Sender::new(BEHIND),
            said: broadcast::Sender::new(BEHIND),
            batches: Mutex::default(),
            outgoing: Mutex::default(),
            changed: Notify::new(),
            listeners: AtomicUsize::new(0),
            next: AtomicUsize::new(1),
            closing: Arc::default(),
            closed: std::sync::atomic::AtomicBool::new(false),
            seen: Mutex::default(),
        }
    }
}

/// A listener's place; given back when it is dropped.
pub struct Place {
    hub: Arc<Hub>,
    /// Its number.
    pub id: u64,
    /// What happens.
    pub events: broadcast::Receiver<Arc<Event>>,
    /// What is said.
    pub said: broadcast::Receiver<Said>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.hub.listeners.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Hub {
    /// A place for a listener, if there is one left.
    pub fn listen(self: &Arc<Self>) -> Option<Place> {
        if self.closed.load(Ordering::Acquire) || self.listeners.fetch_add(1, Ordering::Relaxed) >= LISTENERS {
            self.listeners.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let id = u64::try_from(self.next.fetch_add(1, Ordering::Relaxed)).unwrap_or_default();
        Some(Place { hub: Arc::clone(self), id, events: self.events.subscribe(), said: self.said.subscribe() })
    }

    /// Whether anybody listens.
    pub fn is_heard(&self) -> bool {
        self.listeners.load(Ordering::Relaxed) > 0
    }

    /// Notes changes that were committed here.
    pub fn committed(&self, batch: Batch) {
        self.note(batch, true);
    }

    /// Notes changes that were committed by another server.
    pub fn heard(&self, batch: Batch) {
        self.note(batch, false);
    }

    fn note(&self, batch: Batch, here: bool) {
        if let Ok(mut batches) = self.batches.lock()
            && batches.len() < BATCHES
        {
            batches.push((batch, here));
        }
        self.changed.notify_one();
    }

    /// The changes that were noted since it was asked last, and whether they were made here.
    pub fn take_batches(&self) -> Vec<(Batch, bool)> {
        self.batches.lock().map(|mut batches| std::mem::take(&mut *batches)).unwrap_or_default()
    }

    /// Waits until something is noted.
    pub async fn changed(&self) {
        self.changed.notified().await;
    }

    /// The part of a batch that was not sent yet; it counts as sent from now on. Of the changesets of long ago
    /// nothing is known: they are not sent.
    pub fn unsent(&self, batch: Batch) -> Option<Batch> {
        let mut seen = self.seen.lock().ok()?;
        let last = seen.entry(batch.changeset).or_default();
        let from = batch.from.max(*last + 1);
        *last = (*last).max(batch.to);
        if seen.len() > 2 * BATCHES
            && let Some(newest) = seen.keys().max().copied()
        {
            let kept = i64::try_from(BATCHES).unwrap_or(i64::MAX);
            seen.retain(|id, _| *id > newest - kept);
        }
        (from <= batch.to).then_some(Batch { from, ..batch })
    }

    /// Sends an event to all who listen.
    pub fn send(&self, event: Event) {
        // Nobody listens: nothing to do.
        self.events.send(Arc::new(event)).ok();
    }

    /// Says something to all who are connected here, and, where there are other servers, to theirs.
    pub fn say(&self, by: u64, frame: &str) {
        let frame: Arc<str> = Arc::from(frame);
        if let Ok(mut outgoing) = self.outgoing.lock()
            && outgoing.len() < BATCHES
        {
            outgoing.push(Arc::clone(&frame));
        }
        self.said.send(Said { by, frame }).ok();
        self.changed.notify_one();
    }

    /// Passes on what was said at another server.
    pub fn overheard(&self, frame: &str) {
        self.said.send(Said { by: 0, frame: Arc::from(frame) }).ok();
    }

    /// What was said here since it was asked last.
    pub fn take_said(&self) -> Vec<Arc<str>> {
        self.outgoing.lock().map(|mut said| std::mem::take(&mut *said)).unwrap_or_default()
    }

    /// Sends all listeners away: the server ends.
    pub fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.closing.notify_waiters();
    }

    /// Whether the server ends.
    pub fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Waits until the server ends.
    pub async fn closing(&self) {
        let notified = self.closing.notified();
        if !self.closed.load(Ordering::Acquire) {
            notified.await;
        }
    }
}
