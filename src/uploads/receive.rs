//! Receiving a file: multipart, looked at while it comes. What is too large, too slow or not of a kind that is taken
//! is refused as soon as that is seen, and nothing is left of it.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use actix_multipart::{Multipart, MultipartError};
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::rt::task::spawn_blocking;
use actix_web::web::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::poll_fn;
use tokio::time::{Instant, timeout_at};

use super::model::{Format, NewUpload, clean_filename};
use crate::error::Error;
use crate::storage::{Draft, Storage};
use crate::web::{json, wire};

/// What else than the file may be in the body, in bytes: boundaries, heads of parts, fields that are ignored.
const AROUND: usize = 64 * 1024;
/// A hiccup of so long is nothing.
const GRACE: Duration = Duration::from_secs(5);
/// At first as slow as any body may come, in bytes a second;
const SLOWEST: u64 = 500;
/// after this time
const PATIENCE: Duration = Duration::from_secs(30);
/// no slower than so: 10 MiB in five and a half minutes.
const SLOWEST_LATER: u64 = 32 * 1024;
/// So much is written at once.
const BLOCK: usize = 256 * 1024;

/// A body, how much of it has come, and since when.
struct Body {
    payload: RefCell<Payload>,
    state: RefCell<State>,
    bound: usize,
    began: Instant,
}

#[derive(Default)]
struct State {
    seen: usize,
    ended: bool,
}

impl Body {
    /// Until when the next bytes must be there.
    fn deadline(&self) -> Instant {
        let seen = u64::try_from(self.state.borrow().seen).unwrap_or_default();
        let at_first = GRACE + Duration::from_secs(seen / SLOWEST);
        let later = PATIENCE + Duration::from_secs(seen / SLOWEST_LATER);
        self.began + at_first.min(later)
    }

    /// Its bytes, up to the bound.
    fn stream(self: Rc<Self>) -> impl futures_util::Stream<Item = Result<Bytes, PayloadError>> {
        poll_fn(move |cx| {
            let next = self.payload.borrow_mut().poll_next_unpin(cx);
            next.map(|chunk| {
                let mut state = self.state.borrow_mut();
                match &chunk {
                    None => state.ended = true,
                    Some(Ok(bytes)) => state.seen += bytes.len(),
                    Some(Err(_)) => {}
                }
                if state.seen > self.bound { Some(Err(PayloadError::Overflow)) } else { chunk }
            })
        })
    }
}

/// Takes the field `file` of a multipart body into the storage. Nothing of it stays there unless all of it came.
///
/// # Errors
/// 400 for a body that cannot be read, 408 for one that comes too slowly, 413 for a file of more than `bound` bytes,
/// 415 for no multipart and for a kind of file that is not taken, 422 without a file.
pub async fn receive(req: &HttpRequest, payload: Payload, storage: &Storage, bound: usize) -> Result<NewUpload, Error> {
    if json::content_type(req) != "multipart/form-data" {
        return Err(Error::UnsupportedMedia("Send the file as the field file of multipart/form-data.".to_owned()));
    }
    if req.headers().get(header::CONTENT_ENCODING).is_some_and(|v| v != "identity") {
        return Err(Error::UnsupportedMedia("Send the body without Content-Encoding.".to_owned()));
    }
    if declared(req).is_some_and(|length| length > bound + AROUND) {
        return Err(Error::TooLarge(bound));
    }
    let body = Rc::new(Body {
        payload: RefCell::new(payload),
        state: RefCell::default(),
        bound: bound + AROUND,
        began: Instant::now(),
    });
    let mut parts = Multipart::new(req.headers(), Rc::clone(&body).stream());
    let mut received: Option<Received> = None;
    while let Some(part) = timeout_at(body.deadline(), parts.next()).await.map_err(|_| Error::TooSlow)? {
        let mut part = part.map_err(|e| broken(&e, bound))?;
        let is_file = part.name() == Some("file");
        if is_file && received.is_some() {
            return Err(Error::field("file", "duplicate", "must be one file: send each in a request of its own"));
        }
        let mut file = if is_file {
            let disposition = part.content_disposition();
            let name = disposition.and_then(|d| {
                d.get_filename_ext()
                    .map(|ext| String::from_utf8_lossy(&ext.value).into_owned())
                    .or_else(|| d.get_filename().map(str::to_owned))
            });
            Some(Receiving::new(storage, name.unwrap_or_default(), bound))
        } else {
            None
        };
        while let Some(chunk) = timeout_at(body.deadline(), part.next()).await.map_err(|_| Error::TooSlow)? {
            let chunk = chunk.map_err(|e| broken(&e, bound))?;
            if let Some(file) = &mut file {
                file.take(&chunk).await?;
            }
        }
        if let Some(file) = file {
            received = Some(file.end().await?);
        }
    }
    drop(parts);
    read_the_rest(&body).await?;
    wire::body_is_read(req);
    match received {
        Some(received) => received.keep(storage).await,
        None => Err(Error::field("file", "required", "is required: the file itself, as a part called file")),
    }
}

fn declared(req: &HttpRequest) -> Option<usize> {
    req.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse().ok())
}

/// What comes after the last part means nothing, but the next request begins behind it.
async fn read_the_rest(body: &Rc<Body>) -> Result<(), Error> {
    let mut rest = Box::pin(Rc::clone(body).stream());
    while !body.state.borrow().ended {
        match timeout_at(body.deadline(), rest.next()).await.map_err(|_| Error::TooSlow)? {
            Some(Ok(_)) => {}
            Some(Err(PayloadError::Overflow)) => return Err(Error::TooLarge(body.bound - AROUND)),
            Some(Err(_)) => return Err(Error::Malformed("The body broke off.".to_owned())),
            None => break,
        }
    }
    Ok(())
}

fn broken(error: &MultipartError, bound: usize) -> Error {
    match error {
        MultipartError::Payload(PayloadError::Overflow) => Error::TooLarge(bound),
        MultipartError::Payload(_) | MultipartError::Incomplete => Error::Malformed("The body broke off.".to_owned()),
        MultipartError::BoundaryMissing | MultipartError::ContentTypeParse => {
            Error::Malformed("The Content-Type names no boundary that can be read.".to_owned())
        }
        _ => Error::Malformed("The multipart body cannot be read.".to_owned()),
    }
}

/// A file that is coming.
struct Receiving<'s> {
    storage: &'s Storage,
    name: String,
    bound: usize,
    size: usize,
    format: Option<Format>,
    draft: Option<Draft>,
    /// What is not written yet.
    block: Vec<u8>,
}

/// A file that has come, and is not yet in its place.
struct Received {
    name: String,
    format: Format,
    draft: Draft,
}

impl<'s> Receiving<'s> {
    fn new(storage: &'s Storage, name: String, bound: usize) -> Self {
        Self { storage, name, bound, size: 0, format: None, draft: None, block: Vec::new() }
    }

    async fn take(&mut self, chunk: &[u8]) -> Result<(), Error> {
        self.size += chunk.len();
        if self.size > self.bound {
            return Err(Error::TooLarge(self.bound));
        }
        self.block.extend_from_slice(chunk);
        if self.format.is_none() && self.block.len() >= Format::ENOUGH {
            self.look()?;
        }
        if self.block.len() >= BLOCK { self.write().await } else { Ok(()) }
    }

    fn look(&mut self) -> Result<(), Error> {
        self.format = Format::of(&self.block);
        if self.format.is_some() {
            return Ok(());
        }
        Err(Error::UnsupportedMedia(
            "The file is none of JPEG, PNG, WebP and PDF, by its content; its name does not matter.".to_owned(),
        ))
    }

    async fn write(&mut self) -> Result<(), Error> {
        let (storage, draft, block) = (self.storage.clone(), self.draft.take(), std::mem::take(&mut self.block));
        let work = move || {
            let mut draft = match draft {
                Some(draft) => draft,
                None => storage.begin()?,
            };
            draft.write(&block)?;
            Ok(draft)
        };
        self.draft = Some(on_disk(work).await?);
        Ok(())
    }

    async fn end(mut self) -> Result<Received, Error> {
        if self.size == 0 {
            return Err(Error::field("file", "required", "must not be empty"));
        }
        if self.format.is_none() {
            self.look()?;
        }
        self.write().await?;
        match (self.format, self.draft) {
            (Some(format), Some(draft)) => Ok(Received { name: self.name, format, draft }),
            _ => Err(Error::Internal("a file came and was not written".to_owned())),
        }
    }
}

impl Received {
    async fn keep(self, storage: &Storage) -> Result<NewUpload, Error> {
        let Self { name, format, draft } = self;
        let storage = storage.clone();
        let stored = on_disk(move || storage.keep(draft)).await?;
        Ok(NewUpload {
            filename: clean_filename(&name, format),
            format,
            size: i64::try_from(stored.size).unwrap_or(i64::MAX),
            key: stored.key,
            sha256: stored.sha256,
        })
    }
}

/// Does what waits for the disk on a thread of its own.
async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> std::io::Result<T> + Send + 'static) -> Result<T, Error> {
    match spawn_blocking(work).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Error::Internal(format!("an upload cannot be written: {error}"))),
        Err(panic) => Err(Error::Internal(format!("an upload was not written: {panic}"))),
    }
}
