//! Files of the moment: where a long answer or a large body lies while the other side takes its time, so that
//! neither memory nor a database connection is held for it. They have no name any more once they are open, so
//! that nothing is left behind whatever happens.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::rt::task::spawn_blocking;
use actix_web::web::Bytes;
use futures_util::Stream;
use futures_util::stream::try_unfold;
use tokio::sync::Notify;

use crate::config::Config;
use crate::error::Error;

/// Bytes handed on at once.
const PIECE: usize = 64 * 1024;

/// An empty file of the moment: in `DATA_DIR`, or where that cannot be written, in the system's folder for such.
///
/// # Errors
/// 500 when neither takes a file.
pub fn file(config: &Config) -> Result<File, Error> {
    let name = format!(".stockroom-{:032x}", rand::random::<u128>());
    let unnamed = |folder: &Path| -> io::Result<File> {
        let path = folder.join(&name);
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
        std::fs::remove_file(path)?;
        Ok(file)
    };
    unnamed(&config.data_dir)
        .or_else(|_| unnamed(&std::env::temp_dir()))
        .map_err(|e| Error::Internal(format!("no file of the moment can be made: {e}")))
}

/// What the two sides know of an answer on its way.
#[derive(Debug)]
struct Way {
    file: File,
    progress: Mutex<Progress>,
    /// Told of each step.
    more: Notify,
    /// The reading side is gone.
    abandoned: AtomicBool,
}

#[derive(Debug, Default)]
struct Progress {
    written: u64,
    /// Whether that is all, or why there will not be more.
    end: Option<Result<(), Error>>,
}

/// The writing side. Dropped without [`Filling::end`], the answer breaks off.
pub struct Filling {
    way: Arc<Way>,
}

/// The reading side: when it is dropped, the other one is told at its next write.
struct Reading {
    way: Arc<Way>,
    at: u64,
}

/// Both sides of an answer that is written faster than it may be read.
///
/// # Errors
/// As [`file()`].
pub fn answer(config: &Config) -> Result<(Filling, impl Stream<Item = Result<Bytes, Error>> + use<>), Error> {
    let way = Arc::new(Way {
        file: file(config)?,
        progress: Mutex::default(),
        more: Notify::new(),
        abandoned: AtomicBool::new(false),
    });
    let reading = Reading { way: Arc::clone(&way), at: 0 };
    let pieces =
        try_unfold(reading, |mut reading| async move { Ok(reading.next().await?.map(|piece| (piece, reading))) });
    Ok((Filling { way }, pieces))
}

impl Way {
    fn progress<T>(&self, step: impl FnOnce(&mut Progress) -> T) -> T {
        let done = step(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner));
        self.more.notify_one();
        done
    }
}

impl Filling {
    /// Says that this was all, or why there will not be more.
    pub fn end(self, end: Result<(), Error>) {
        self.way.progress(|progress| progress.end = Some(end));
    }
}

impl Drop for Filling {
    fn drop(&mut self) {
        let broken = || Err(Error::Internal("an answer was not written to its end".to_owned()));
        self.way.progress(|progress| progress.end.get_or_insert_with(broken).is_ok());
    }
}

impl Write for Filling {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.way.abandoned.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let count = (&self.way.file).write(bytes)?;
        self.way.progress(|progress| progress.written += u64::try_from(count).unwrap_or_default());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Reading {
    /// The next piece; none at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Error> {
        loop {
            let (written, end) = {
                let progress = self.way.progress.lock().unwrap_or_else(PoisonError::into_inner);
                (progress.written, progress.end.clone())
            };
            if self.at < written {
                let size = usize::try_from(written - self.at).unwrap_or(PIECE).min(PIECE);
                let (way, at) = (Arc::clone(&self.way), self.at);
                let read = spawn_blocking(move || {
                    let mut piece = vec![0; size];
                    way.file.read_exact_at(&mut piece, at).map(|()| piece)
                });
                let piece = read
                    .await
                    .map_err(|e| Error::Internal(e.to_string()))?
                    .map_err(|e| Error::Internal(format!("a file of the moment cannot be read: {e}")))?;
                self.at += u64::try_from(size).unwrap_or_default();
                return Ok(Some(Bytes::from(piece)));
            }
            match end {
                Some(Ok(())) => return Ok(None),
                Some(Err(error)) => return Err(error),
                None => self.way.more.notified().await,
            }
        }
    }
}

impl Drop for Reading {
    fn drop(&mut self) {
        self.way.abandoned.store(true, Ordering::Relaxed);
    }
}
