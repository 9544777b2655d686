//! The doors of events: server-sent events (HTML Standard, 9.2) and WebSockets (RFC 6455).

use std::collections::{HashSet, VecDeque};

use actix_web::http::header;
use actix_web::web::{Bytes, Data, Payload};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream;

use super::listener::{Heard, Listener};
use super::{feed, socket, store};
use crate::app::App;
use crate::error::Error;
use crate::live::Event;
use crate::web::caller::{Anyone, Member};

/// So much of the past is told to who comes back, in changes.
const CAUGHT_UP: usize = 10_000;
/// So many at a time.
const PART: i64 = 500;
/// How long a client waits before it comes back, in milliseconds.
const RETRY: u32 = 2_000;

/// `GET /api/v1/events`: what happens, as it happens, as far as the caller may know of it. Who comes back with
/// `Last-Event-ID` is told first what happened since.
///
/// # Errors
/// 400 for an id that was never ours, 401, 503.
pub async fn events(req: HttpRequest, _: Anyone, app: Data<App>) -> Result<HttpResponse, Error> {
    let last = match req.headers().get("last-event-id").map(|value| value.to_str().map(parse_id)) {
        None => None,
        Some(Ok(Some(id))) => Some(id),
        Some(_) => return Err(Error::Malformed("Last-Event-ID must be the id of an event.".to_owned())),
    };
    let stream = Stream {
        listener: Listener::new(&req, &app)?,
        app,
        waiting: VecDeque::from([Bytes::from(format!("retry: {RETRY}\n\n"))]),
        past: last,
        caught_up: 0,
        told: HashSet::new(),
    };
    let body = stream::unfold(stream, |mut stream| async move {
        let next = stream.next().await?;
        Some((Ok::<_, actix_web::Error>(next), stream))
    });
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, "no-store"))
        // Proxies that gather answers would keep events back.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(body))
}

fn parse_id(text: &str) -> Option<(i64, i32)> {
    let (changeset, seq) = text.trim().split_once('-')?;
    Some((changeset.parse().ok().filter(|id| *id >= 0)?, seq.parse().ok().filter(|seq| *seq >= 0)?))
}

struct Stream {
    listener: Listener,
    app: Data<App>,
    waiting: VecDeque<Bytes>,
    /// Where the past goes on that is still to be told.
    past: Option<(i64, i32)>,
    caught_up: usize,
    /// What was told of the past, so that it is not told again when it comes by itself.
    told: HashSet<(i64, i32)>,
}

impl Stream {
    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(bytes) = self.waiting.pop_front() {
                return Some(bytes);
            }
            if let Some(from) = self.past.take() {
                self.tell_past(from).await?;
                continue;
            }
            match self.listener.next().await {
                Heard::Event(event) if self.told.contains(&event.id) => {}
                Heard::Event(event) => return Some(frame(&event)),
                Heard::Nothing => return Some(Bytes::from_static(b": still here\n\n")),
                Heard::Said(_) => {}
                Heard::Over => return None,
            }
        }
    }

    /// A part of what happened since; too much of it is left out, which is said.
    async fn tell_past(&mut self, from: (i64, i32)) -> Option<()> {
        let read = self.app.read(move |conn| {
            let happened = store::after(conn, from, PART)?;
            let last = happened.last().map(|h| h.id);
            let count = happened.len();
            Ok((feed::events(conn, happened)?, last, count))
        });
        // Without the past there is nothing to go on from: the client comes back with the same id.
        let (events, last, count) = read.await.ok()?;
        self.caught_up += count;
        for event in events {
            self.told.insert(event.id);
            if event.is_for(&self.listener.caller) {
                self.waiting.push_back(frame(&event));
            }
        }
        if self.caught_up >= CAUGHT_UP {
            let missed = "event: missed\ndata: {\"detail\":\"Too much has happened since; read the lists again.\"}\n\n";
            self.waiting.push_back(Bytes::from_static(missed.as_bytes()));
        } else if i64::try_from(count).is_ok_and(|count| count == PART) {
            self.past = last;
        }
        Some(())
    }
}

/// An event on the wire. JSON has no line ends of its own.
fn frame(event: &Event) -> Bytes {
    let (changeset, seq) = event.id;
    Bytes::from(format!("id: {changeset}-{seq}\nevent: {}\ndata: {}\n\n", event.kind, event.data))
}

/// `GET /api/v1/ws`: the same events over a WebSocket, and messages between those who are connected. Credentials,
/// and where a browser's script comes from, are checked before the upgrade.
///
/// # Errors
/// 400 for no upgrade, 401, 403 for a foreign script, 503.
pub async fn ws(req: HttpRequest, _: Member, app: Data<App>, payload: Payload) -> Result<HttpResponse, Error> {
    if let Some(origin) = req.headers().get(header::ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        let own = app.base_url();
        if origin != own && !app.config.cors_origins.iter().any(|allowed| allowed == origin) {
            return Err(Error::Forbidden("Scripts of this origin may not connect; see CORS_ORIGINS.".to_owned()));
        }
    }
    let listener = Listener::new(&req, &app)?;
    let (response, session, stream) = actix_ws::handle(&req, payload)
        .map_err(|e| Error::Malformed(format!("This is an address for WebSockets: {e}.")))?;
    actix_web::rt::spawn(socket::talk(app, listener, session, stream));
    Ok(response)
}
