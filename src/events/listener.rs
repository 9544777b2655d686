//! Somebody who listens: who they are, asked again whenever it may have changed, and what they hear.

use std::sync::Arc;
use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpMessage as _, HttpRequest};
use tokio::sync::broadcast::error::RecvError;

use crate::app::App;
use crate::auth::identify;
use crate::caller::Caller;
use crate::error::Error;
use crate::live::{Event, Place};

/// How often something is sent though nothing happens, so that nothing between takes the connection for dead;
/// credentials that have expired meanwhile end it then.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// What a listener wakes up for.
pub enum Heard {
    /// Something happened that they may hear of.
    Event(Arc<Event>),
    /// Somebody said something.
    Said(Arc<str>),
    /// Nothing happened for a while.
    Nothing,
    /// It is over: the credentials ended, the listener is too slow, or the server ends.
    Over,
}

/// A listener.
pub struct Listener {
    app: Data<App>,
    req: HttpRequest,
    /// Who listens.
    pub caller: Caller,
    /// Their place in the hub.
    pub place: Place,
}

impl Listener {
    /// A listener for this request.
    ///
    /// # Errors
    /// 503 when there are too many, or the server ends.
    pub fn new(req: &HttpRequest, app: &Data<App>) -> Result<Self, Error> {
        let caller = req
            .extensions()
            .get::<Caller>()
            .cloned()
            .ok_or_else(|| Error::Internal("this route is behind no identification".to_owned()))?;
        let place = app.live.listen().ok_or_else(|| Error::Unavailable {
            detail: "Too many listen already. Try again shortly.",
            retry_after: 5,
            reason: "the hub is full, or closes".to_owned(),
        })?;
        Ok(Self { app: app.clone(), req: req.clone(), caller, place })
    }

    /// Waits for the next thing that concerns this listener.
    pub async fn next(&mut self) -> Heard {
        loop {
            let event = tokio::select! {
                event = self.place.events.recv() => event,
                said = self.place.said.recv() => match said {
                    Ok(said) if said.by != self.place.id => return Heard::Said(said.frame),
                    Ok(_) => continue,
                    Err(_) => return Heard::Over,
                },
                () = self.app.live.closing() => return Heard::Over,
                () = actix_web::rt::time::sleep(HEARTBEAT) => {
                    return if self.is_still().await { Heard::Nothing } else { Heard::Over };
                }
            };
            match event {
                Ok(event) => {
                    let own = event.concerns.is_some() && event.concerns == self.caller.user_id();
                    if own && !self.is_still().await {
                        return Heard::Over;
                    }
                    if event.is_for(&self.caller) {
                        return Heard::Event(event);
                    }
                }
                Err(RecvError::Lagged(_) | RecvError::Closed) => return Heard::Over,
            }
        }
    }

    /// Whether the credentials are still good; what they allow now counts from now on.
    async fn is_still(&mut self) -> bool {
        match identify::again(&self.req).await {
            Ok(who) => {
                self.caller.who = who;
                true
            }
            // Nobody is sent away because the database hiccups.
            Err(Error::Unavailable { .. }) => true,
            Err(_) => false,
        }
    }
}
