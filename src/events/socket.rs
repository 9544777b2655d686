//! A WebSocket: events one way, messages both. Frames have a bound, senders a rate, and who reads too slowly is
//! dropped and not waited for.

use std::collections::VecDeque;
use std::time::Duration;

use actix_web::rt::time::{Instant, sleep, timeout};
use actix_web::web::Data;
use actix_ws::{AggregatedMessage, CloseCode, CloseReason, MessageStream, Session};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use super::listener::{Heard, Listener};
use crate::app::App;
use crate::caller::{Caller, Role};
use crate::time::Timestamp;

/// A larger frame ends the connection, in bytes.
const LARGEST_FRAME: usize = 16 * 1024;
/// A message may have so many characters.
const LONGEST_MESSAGE: usize = 1_000;
/// So many messages …
const MESSAGES: usize = 20;
/// … in so long; one more is refused.
const PER: Duration = Duration::from_secs(10);
/// How often the other side is asked whether it is there.
const PING: Duration = Duration::from_secs(20);
/// After so long without a sign of life it is not.
const SILENCE: Duration = Duration::from_secs(60);
/// A frame that cannot be put on its way in this time has a reader who is too slow.
const SLOWEST: Duration = Duration::from_secs(10);

/// Talks until either side ends it.
pub async fn talk(app: Data<App>, mut listener: Listener, session: Session, stream: MessageStream) {
    let mut stream =
        stream.max_frame_size(LARGEST_FRAME).aggregate_continuations().max_continuation_size(LARGEST_FRAME);
    let name = listener.caller.name().to_owned();
    let id = listener.place.id;
    let announce = |kind: &str| app.live.say(id, &json!({"type": kind, "user": name}).to_string());
    announce("joined");
    let mut talker = Talker { session, sent: VecDeque::new(), next: 0 };
    let (mut alive, mut pinged) = (Instant::now(), Instant::now());
    let reason = loop {
        let going_on = tokio::select! {
            message = stream.next() => {
                alive = Instant::now();
                match message {
                    Some(Ok(AggregatedMessage::Text(text))) => talker.hear(&app, &listener, &text).await,
                    Some(Ok(AggregatedMessage::Ping(bytes))) => talker.session.pong(&bytes).await.is_ok(),
                    Some(Ok(AggregatedMessage::Pong(_))) => true,
                    Some(Ok(AggregatedMessage::Binary(_))) => break Some(CloseCode::Unsupported.into()),
                    Some(Ok(AggregatedMessage::Close(reason))) => break reason,
                    Some(Err(_)) => break Some(CloseCode::Size.into()),
                    None => break None,
                }
            }
            heard = listener.next() => match heard {
                Heard::Event(event) => {
                    let (changeset, seq) = event.id;
                    let (kind, data) = (&event.kind, &event.data);
                    talker.send(format!(r#"{{"type":"{kind}","id":"{changeset}-{seq}","data":{data}}}"#)).await
                }
                Heard::Said(frame) => talker.send(frame.to_string()).await,
                Heard::Nothing => true,
                Heard::Over => break Some(CloseReason {
                    code: CloseCode::Policy,
                    description: Some("credentials ended, too slow, or the server ends".to_owned()),
                }),
            },
            () = sleep(PING) => true,
        };
        if !going_on || alive.elapsed() > SILENCE {
            break None;
        }
        if pinged.elapsed() >= PING {
            pinged = Instant::now();
            if talker.session.ping(b"").await.is_err() {
                break None;
            }
        }
    };
    announce("left");
    // The other side may be gone already.
    talker.session.close(reason).await.ok();
}

struct Talker {
    session: Session,
    /// When the last messages were taken.
    sent: VecDeque<Instant>,
    next: u64,
}

impl Talker {
    /// Whether it could be put on its way.
    async fn send(&mut self, frame: String) -> bool {
        matches!(timeout(SLOWEST, self.session.text(frame)).await, Ok(Ok(())))
    }

    async fn refuse(&mut self, message: &str) -> bool {
        self.send(json!({"type": "error", "message": message}).to_string()).await
    }

    /// Takes a message, acknowledges it and passes it on.
    async fn hear(&mut self, app: &App, listener: &Listener, text: &str) -> bool {
        let frame: Value = match serde_json::from_str(text) {
            Ok(frame) => frame,
            Err(_) => return self.refuse("a frame must be a JSON object").await,
        };
        if frame.get("type").and_then(Value::as_str) != Some("message") {
            return self.refuse("type must be message").await;
        }
        let content = frame.get("content").and_then(Value::as_str).map(str::trim).unwrap_or_default();
        let fits = (1..=LONGEST_MESSAGE).contains(&content.chars().count());
        if !fits || content.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
            return self.refuse("content must be a text of 1 to 1000 characters without control characters").await;
        }
        if !may_speak(&listener.caller) {
            return self.refuse("you may listen, not send").await;
        }
        let now = Instant::now();
        self.sent.retain(|at| now.duration_since(*at) < PER);
        if self.sent.len() >= MESSAGES {
            return self.refuse("too many messages; wait a few seconds").await;
        }
        self.sent.push_back(now);
        self.next += 1;
        let id = format!("{}-{}-{}", app.instance(), listener.place.id, self.next);
        let said = json!({
            "type": "message", "id": id, "from": listener.caller.name(), "content": content,
            "at": Timestamp::now().rfc3339(),
        });
        app.live.say(listener.place.id, &said.to_string());
        self.send(json!({"type": "ack", "id": id}).to_string()).await
    }
}

/// Guests and keys that only read listen.
fn may_speak(caller: &Caller) -> bool {
    caller.principal().is_some_and(|user| user.role != Role::Guest && user.may_write)
}
