//! A large file that a client sends, as the body itself or as the field `file` of a form: taken into a file of
//! the moment, whole, before anything is done with it, so that one that breaks off changes nothing.

use std::cell::Cell;
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_multipart::Multipart;
use actix_web::HttpRequest;
use actix_web::dev::Payload;
use actix_web::error::PayloadError;
use actix_web::http::header;
use actix_web::rt::task::spawn_blocking;
use actix_web::web::Bytes;
use futures_util::{Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, timeout_at};

use super::{json, spool, wire};
use crate::config::Config;
use crate::error::Error;

/// It must come with so many bytes a second,
const SLOWEST_RATE: u64 = 500;
/// but for a hiccup of so long in all.
const GRACE: Duration = Duration::from_secs(5);
/// What is gathered before it is written, in bytes.
const BUFFER: usize = 256 * 1024;

/// What a file must be.
#[derive(Debug, Clone, Copy)]
pub struct Wanted {
    /// The media types that it may have as a body of its own.
    pub types: &'static [&'static str],
    /// Bytes at most.
    pub bytes: usize,
    /// Lines at most.
    pub lines: u64,
}

/// A file that was taken in, from its beginning on.
#[derive(Debug)]
pub struct Taken {
    /// The file.
    pub file: File,
    /// Of what is in it.
    pub sha256: [u8; 32],
    /// As the client calls it, in a form.
    pub name: Option<String>,
}

/// Takes a file in.
///
/// # Errors
/// 400 when it breaks off or the form cannot be read, 408 when it is too slow, 413, 415, 422 for a form without
/// one.
pub async fn take(req: &HttpRequest, payload: Payload, config: &Config, wanted: Wanted) -> Result<Taken, Error> {
    if req.headers().get(header::CONTENT_ENCODING).is_some_and(|v| v != "identity") {
        return Err(Error::UnsupportedMedia("Send the body without Content-Encoding.".to_owned()));
    }
    let declared = req.headers().get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|length| length > wanted.bytes) {
        return Err(Error::TooLarge(wanted.bytes));
    }
    let kind = json::content_type(req);
    let is_form = kind == "multipart/form-data";
    if !is_form && !wanted.types.contains(&kind.as_str()) {
        let types = wanted.types.join(", ");
        return Err(Error::UnsupportedMedia(format!(
            "Send the file as {types}, or as the field file of multipart/form-data."
        )));
    }
    let ended = Rc::new(Cell::new(false));
    let body = Watched { payload, ended: Rc::clone(&ended) };
    let mut intake = Intake { began: Instant::now(), came: 0, lines: 0, wanted };
    let taken = if is_form {
        form(req, body, config, &mut intake).await?
    } else {
        let (file, sha256) = intake.save(body, spool::file(config)?).await?;
        Taken { file, sha256, name: None }
    };
    if ended.get() {
        wire::body_is_read(req);
    }
    Ok(taken)
}

async fn form(req: &HttpRequest, body: Watched, config: &Config, intake: &mut Intake) -> Result<Taken, Error> {
    let wrong = |e: &dyn std::fmt::Display| Error::Malformed(format!("The form cannot be read: {e}."));
    let mut form = Multipart::new(req.headers(), body);
    let mut taken = None;
    while let Some(field) = intake.in_time(form.next()).await? {
        let mut field = field.map_err(|e| wrong(&e))?;
        if field.name() != Some("file") {
            // The rest of a form is read over.
            while let Some(piece) = intake.in_time(field.next()).await? {
                intake.count(&piece.map_err(|e| wrong(&e))?)?;
            }
            continue;
        }
        if taken.is_some() {
            return Err(Error::field("file", "format", "must be there once"));
        }
        let name = field.content_disposition().and_then(|d| d.get_filename()).map(str::to_owned);
        let (file, sha256) = intake.save(field, spool::file(config)?).await?;
        taken = Some(Taken { file, sha256, name });
    }
    taken.ok_or_else(|| Error::field("file", "required", "is required"))
}

/// How much has come, and how fast.
struct Intake {
    began: Instant,
    came: usize,
    lines: u64,
    wanted: Wanted,
}

impl Intake {
    async fn in_time<T>(&self, coming: impl Future<Output = T>) -> Result<T, Error> {
        let at_this_rate = Duration::from_secs(u64::try_from(self.came).unwrap_or(0) / SLOWEST_RATE);
        timeout_at(self.began + GRACE + at_this_rate, coming).await.map_err(|_| Error::TooSlow)
    }

    fn count(&mut self, piece: &[u8]) -> Result<(), Error> {
        self.came += piece.len();
        if self.came > self.wanted.bytes {
            return Err(Error::TooLarge(self.wanted.bytes));
        }
        Ok(())
    }

    async fn save<E: std::fmt::Display>(
        &mut self,
        pieces: impl Stream<Item = Result<Bytes, E>>,
        file: File,
    ) -> Result<(File, [u8; 32]), Error> {
        let mut pieces = std::pin::pin!(pieces);
        let mut save = Save { file, sha256: Sha256::new(), buffer: Vec::with_capacity(BUFFER) };
        while let Some(piece) = self.in_time(pieces.next()).await? {
            let piece = piece.map_err(|_| Error::Malformed("The body broke off.".to_owned()))?;
            self.count(&piece)?;
            self.lines += piece.iter().map(|byte| u64::from(*byte == b'\n')).sum::<u64>();
            if self.lines > self.wanted.lines {
                let most = self.wanted.lines;
                return Err(Error::field("file", "length", format!("must have at most {most} lines: split it")));
            }
            save.buffer.extend_from_slice(&piece);
            if save.buffer.len() >= BUFFER {
                save = save.written().await?;
            }
        }
        let Save { mut file, sha256, .. } = save.written().await?;
        file.rewind().map_err(|e| Error::Internal(format!("a file of the moment cannot be read: {e}")))?;
        Ok((file, sha256.finalize().into()))
    }
}

/// A file that is being written.
struct Save {
    file: File,
    sha256: Sha256,
    /// What was gathered and not written yet.
    buffer: Vec<u8>,
}

impl Save {
    /// Writes what was gathered; never on an actix worker, since a disk may be slow.
    async fn written(mut self) -> Result<Self, Error> {
        let work = spawn_blocking(move || {
            self.sha256.update(&self.buffer);
            self.file.write_all(&self.buffer)?;
            self.buffer.clear();
            Ok::<_, std::io::Error>(self)
        });
        work.await
            .map_err(|e| Error::Internal(e.to_string()))?
            .map_err(|e| Error::Internal(format!("a file of the moment cannot be written: {e}")))
    }
}

/// A body that notes when it was read to its end.
struct Watched {
    payload: Payload,
    ended: Rc<Cell<bool>>,
}

impl Stream for Watched {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let polled = Pin::new(&mut self.payload).poll_next(cx);
        if matches!(polled, Poll::Ready(None)) {
            self.ended.set(true);
        }
        polled
    }
}
