//! The connection under HTTP/1: what actix-http answers by itself, before any code of ours has seen a request (an
//! unreadable head, one that is too large or too slow), is a bare status line. Here it becomes a whole problem,
//! and the connection is closed so that the client can read it. And where actix-http has no time limit (the
//! head of a later request on a connection, the rest of a body that nobody reads), here is one.
//!
//! No answer's content is ever mistaken for such a status line: [`super::front`] tells the [`Connection`] of
//! each answer and its length, so that what lies behind the last of them is known to be none of ours.

use std::cell::{Cell, RefCell};
use std::future::Future as _;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use actix_web::HttpRequest;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::http::header::{HeaderMap, HttpDate};
use actix_web::http::{Method, StatusCode};
use actix_web::rt::time::{Instant, Sleep, sleep_until, timeout};
use actix_web::web::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::{headers, request_id};
use crate::error::{Error, Problem};

/// How long the head of a later request may take, and the rest of a body that nobody reads.
const SLOWEST_HEAD: Duration = Duration::from_secs(5);
/// A longer request line is refused before the rest of the head is there: the target of 8 KiB, the method and
/// the version.
const LONGEST_LINE: usize = 8_192 + 64;
/// How long a closed connection is read on, so that the system does not throw the last answer away.
const LINGER: Duration = Duration::from_secs(1);

/// What is known of a connection; shared by the [`Wire`] and the requests on it.
#[derive(Debug, Default)]
pub struct Connection {
    /// Requests that are being served, until their answer's body is written.
    serving: Cell<u32>,
    /// Answers whose body is being written.
    writing: Cell<u32>,
    /// The answers since everything was last written: the length of each one's body, unless it is not known.
    answers: RefCell<Vec<Option<u64>>>,
    /// Since when there are bytes that no request has come of.
    waiting_since: Cell<Option<Instant>>,
    /// Whether the body of the present request has been read to its end.
    read_whole: Cell<bool>,
    /// The present answer is the last one: the client wants it so, or we do.
    last: Cell<bool>,
    /// It is we, since the client may send on.
    hang_up: Cell<bool>,
    /// There was a request behind the last one.
    ignored: Cell<bool>,
    https: bool,
}

impl Connection {
    /// Whether the last answer has been given: what comes now is no request (RFC 9112, 9.6). Then the connection
    /// ends, and nobody need wait for anything.
    pub fn is_over(&self) -> bool {
        if self.last.get() {
            self.ignored.set(true);
        }
        self.last.get()
    }

    fn is_all_written(&self) -> bool {
        self.writing.get() == 0 && self.answers.borrow().is_empty()
    }
}

/// A request being served on a connection, from its head until its answer is written.
#[derive(Debug)]
pub struct Serving {
    connection: Rc<Connection>,
    answered: bool,
}

impl Serving {
    /// Notes that a request is there, and whether its client will send no more.
    pub fn begin(connection: Rc<Connection>, last: bool) -> Self {
        connection.last.set(last);
        connection.serving.set(connection.serving.get() + 1);
        connection.waiting_since.set(None);
        connection.read_whole.set(false);
        Self { connection, answered: false }
    }

    /// Notes its answer.
    pub fn answer(&mut self, method: &Method, status: StatusCode, size: BodySize) {
        let bare = method == Method::HEAD || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
        let length = match size {
            _ if bare => Some(0),
            BodySize::None => Some(0),
            BodySize::Sized(length) => Some(length),
            BodySize::Stream => None,
        };
        self.connection.answers.borrow_mut().push(length);
        self.connection.writing.set(self.connection.writing.get() + 1);
        self.answered = true;
    }

    /// Whether the request's body has been read to its end.
    pub fn is_read(&self) -> bool {
        self.connection.read_whole.get()
    }

    /// Ends the connection after the answer: whatever else the client sends is not read.
    pub fn hang_up(&self) {
        self.connection.last.set(true);
        self.connection.hang_up.set(true);
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let connection = &self.connection;
        connection.serving.set(connection.serving.get().saturating_sub(1));
        if self.answered {
            connection.writing.set(connection.writing.get().saturating_sub(1));
        }
    }
}

/// An answer's body, which ends its request's [`Serving`].
pub struct Body {
    inner: BoxBody,
    _serving: Option<Serving>,
}

impl Body {
    /// Of an answer, on a connection that is looked after or not.
    pub fn new(inner: BoxBody, serving: Option<Serving>) -> Self {
        Self { inner, _serving: serving }
    }
}

impl MessageBody for Body {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.inner.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.inner).poll_next(cx)
    }
}

/// The connection that a request came by.
pub fn of(req: &HttpRequest) -> Option<&Rc<Connection>> {
    req.conn_data::<Rc<Connection>>()
}

/// Notes that a request's body has been read to its end.
pub fn body_is_read(req: &HttpRequest) {
    if let Some(connection) = of(req) {
        connection.read_whole.set(true);
    }
}

/// A stream that HTTP/1 is spoken on.
pub struct Wire<T: AsyncRead + AsyncWrite + Unpin + 'static> {
    /// Until it is dropped.
    stream: Option<T>,
    connection: Rc<Connection>,
    /// Whether all that was written so far are whole answers.
    between_answers: bool,
    /// The last answer, in place of a bare one.
    farewell: Option<Vec<u8>>,
    /// How much of what the framework writes comes before the bare one.
    before_farewell: usize,
    /// How long the request line is so far, while its end has not come.
    line: usize,
    closed: bool,
    /// Armed while something is awaited; looks at `waiting_since` when it rings.
    clock: Option<Pin<Box<Sleep>>>,
}

impl<T: AsyncRead + AsyncWrite + Unpin + 'static> Wire<T> {
    /// Around a stream; `https` when the world reaches it by https.
    pub fn new(stream: T, https: bool) -> Self {
        Self {
            stream: Some(stream),
            connection: Rc::new(Connection { https, ..Connection::default() }),
            between_answers: true,
            farewell: None,
            before_farewell: 0,
            line: 0,
            closed: false,
            clock: None,
        }
    }

    /// What is known of it.
    pub fn connection(&self) -> Rc<Connection> {
        Rc::clone(&self.connection)
    }

    fn stream(&mut self) -> io::Result<Pin<&mut T>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    /// Ends the reading: what comes is not looked at, and what was written is followed by this problem.
    fn refuse(&mut self, status: StatusCode) {
        if self.between_answers && self.farewell.is_none() && !self.connection.last.get() {
            self.farewell = Some(whole(status, self.connection.https));
        }
        self.closed = true;
    }

    /// Looks at what has come. Bytes while a request is served are its body's, or wait for their turn.
    fn received(&mut self, bytes: &[u8]) {
        if self.connection.serving.get() > 0 {
            self.line = 0;
            return;
        }
        if self.connection.waiting_since.get().is_none() {
            self.connection.waiting_since.set(Some(Instant::now()));
            self.line = 0;
        } else if self.line == 0 {
            return;
        }
        match bytes.iter().position(|byte| *byte == b'\n') {
            Some(_) => self.line = 0,
            None => self.line += bytes.len(),
        }
    }

    /// Whether what is awaited has taken too long; wakes the task when it has.
    fn is_too_slow(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(since) = self.connection.waiting_since.get() else { return false };
        if self.connection.serving.get() > 0 {
            return false;
        }
        let deadline = since + SLOWEST_HEAD;
        let clock = self.clock.get_or_insert_with(|| Box::pin(sleep_until(deadline)));
        while clock.as_mut().poll(cx).is_ready() {
            if deadline <= Instant::now() {
                return true;
            }
            clock.as_mut().reset(deadline);
        }
        false
    }

    /// Where in what the framework is about to write a bare answer of its own begins.
    fn bare_answer(&self, bytes: &[u8]) -> Option<(usize, StatusCode)> {
        if !(self.between_answers && bytes.ends_with(b"\r\n\r\n")) {
            return None;
        }
        let mut at = 0;
        for length in self.connection.answers.borrow().iter() {
            at = after_continue(bytes, at);
            let head = bytes.get(at..)?.windows(4).position(|window| window == b"\r\n\r\n")?;
            at = at.checked_add(head + 4)?.checked_add(usize::try_from((*length)?).ok()?)?;
        }
        at = after_continue(bytes, at);
        let bare = bytes.get(at..)?.strip_prefix(b"HTTP/1.")?;
        let code = std::str::from_utf8(bare.get(2..5)?).ok()?.parse::<u16>().ok()?;
        let status = StatusCode::from_u16(code).ok()?;
        (status.is_client_error() || status.is_server_error()).then_some((at, status))
    }

    fn wrote(&mut self, count: usize, of: usize) {
        self.between_answers = count == of && self.connection.writing.get() == 0;
        if self.between_answers {
            self.connection.answers.borrow_mut().clear();
        }
    }
}

/// Behind the interim answers that lie here.
fn after_continue(bytes: &[u8], mut at: usize) -> usize {
    const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";
    while bytes.get(at..).is_some_and(|rest| rest.starts_with(CONTINUE)) {
        at += CONTINUE.len();
    }
    at
}

/// A whole answer, after which the connection ends.
fn whole(status: StatusCode, https: bool) -> Vec<u8> {
    let id = request_id::made();
    let mut problem = match status {
        StatusCode::URI_TOO_LONG => Error::UriTooLong.problem(),
        status => Problem::of_status(status),
    };
    problem.request_id.clone_from(&id);
    log::debug!(target: "stockroom::access", "[{id}] a request that cannot be read -> {}", status.as_u16());
    let body = serde_json::to_string(&problem).unwrap_or_default();
    let mut always = HeaderMap::new();
    headers::secure(&mut always, https);
    let date = HttpDate::from(SystemTime::now());
    let mut head = format!(
        "HTTP/1.1 {} {}\r\ncontent-length: {}\r\nconnection: close\r\ncontent-type: application/problem+json\r\n\
         {}: {id}\r\ncache-control: no-store\r\ndate: {date}\r\n",
        status.as_u16(),
        problem.title,
        body.len(),
        request_id::HEADER,
    );
    for (name, value) in &always {
        if let Ok(value) = value.to_str() {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
    }
    head.push_str("\r\n");
    head.push_str(&body);
    head.into_bytes()
}

impl<T: AsyncRead + AsyncWrite + Unpin + 'static> AsyncRead for Wire<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let connection = &this.connection;
        if connection.ignored.get() && connection.is_all_written() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        if this.closed || (connection.hang_up.get() && connection.serving.get() == 0) {
            // The end, as far as the framework can see.
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        match this.stream()?.poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                this.received(buf.filled().get(before..).unwrap_or_default());
                if this.line > LONGEST_LINE {
                    buf.set_filled(before);
                    this.refuse(StatusCode::URI_TOO_LONG);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Pending if this.is_too_slow(cx) => {
                this.refuse(StatusCode::REQUEST_TIMEOUT);
                Poll::Ready(Ok(()))
            }
            other => other,
        }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + 'static> AsyncWrite for Wire<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.farewell.is_none()
            && let Some((at, status)) = this.bare_answer(bytes)
        {
            this.before_farewell = at;
            // Of a request whose body could not be read, which has had its answer, it would be a second one.
            let over = this.connection.last.get();
            this.farewell = Some(if over { Vec::new() } else { whole(status, this.connection.https) });
        }
        if this.farewell.is_some() {
            if this.before_farewell == 0 {
                return Poll::Ready(Ok(bytes.len()));
            }
            let before = bytes.get(..this.before_farewell).unwrap_or(bytes);
            let count = ready!(this.stream()?.poll_write(cx, before))?;
            this.before_farewell -= count.min(this.before_farewell);
            return Poll::Ready(Ok(if this.before_farewell == 0 { bytes.len() } else { count }));
        }
        let count = ready!(this.stream()?.poll_write(cx, bytes))?;
        this.wrote(count, bytes.len());
        if this.between_answers && (this.connection.hang_up.get() || this.connection.ignored.get()) {
            // To see that there is no more to read.
            cx.waker().wake_by_ref();
        }
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().stream()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // With a farewell it is said first, when the framework has let go.
        if this.farewell.is_some() { Poll::Ready(Ok(())) } else { this.stream()?.poll_shutdown(cx) }
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin + 'static> Drop for Wire<T> {
    fn drop(&mut self) {
        let last = self.farewell.take();
        if last.is_none() && !self.connection.hang_up.get() && !self.connection.ignored.get() {
            return;
        }
        let Some(mut stream) = self.stream.take() else { return };
        // A socket that is closed with bytes unread resets the connection, and the client loses the answer.
        actix_web::rt::spawn(timeout(LINGER, async move {
            stream.write_all(&last.unwrap_or_default()).await?;
            stream.shutdown().await?;
            let mut rest = [0; 4_096];
            while stream.read(&mut rest).await? > 0 {}
            io::Result::Ok(())
        }));
    }
}
