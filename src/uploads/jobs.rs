//! What happens because of uploads, after the answer: small pictures, and files that go with their rows. Each can be
//! done twice.

use std::io;
use std::sync::Arc;

use actix_web::rt::task::spawn_blocking;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use super::model::{Upload, thumbnail_key};
use super::{store, thumbnail};
use crate::app::App;
use crate::db::{Conn, Effects};
use crate::error::Error;
use crate::jobs::worker::Worker;
use crate::jobs::{Failure, Job};
use crate::storage::Storage;

/// An image came: its small picture is made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct MakeThumbnail {
    /// The upload.
    pub upload_id: i64,
}

impl Job for MakeThumbnail {
    const KIND: &'static str = "upload.thumbnail";
}

/// An upload was deleted: its file goes too, and its small picture.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RemoveFile {
    /// Its name in the storage.
    pub key: String,
}

impl Job for RemoveFile {
    const KIND: &'static str = "upload.remove";
}

/// Says how these jobs are done.
pub fn handle(worker: Worker, app: &Arc<App>) -> Worker {
    // One image at a time: each may take 128 MiB and a core.
    let decoding = Arc::new(Semaphore::new(1));
    let (of_thumbnails, of_files) = (Arc::clone(app), Arc::clone(app));
    worker
        .handle(move |_, job: MakeThumbnail| {
            let (app, decoding) = (Arc::clone(&of_thumbnails), Arc::clone(&decoding));
            async move { make(&app, &decoding, job.upload_id).await }
        })
        .handle(move |_, job: RemoveFile| {
            let storage = of_files.storage.clone();
            async move {
                let remove = move || storage.remove(&job.key).and_then(|()| storage.remove(&thumbnail_key(&job.key)));
                failed_to(spawn_blocking(remove).await, "remove a file")
            }
        })
}

async fn make(app: &App, decoding: &Semaphore, id: i64) -> Result<(), Failure> {
    let Some(upload) = app.look_up(move |conn| Ok(store::find(conn, id)?)).await? else { return Ok(()) };
    let _alone = decoding.acquire().await.map_err(|e| Failure::Retry(e.to_string()))?;
    let thumbnail = upload.thumbnail_key();
    let storage = app.storage.clone();
    let work = move || -> Result<Result<&'static str, String>, io::Error> {
        let Upload { key, content_type, .. } = &upload;
        let file = match storage.open(key) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Err("its file is gone".to_owned())),
            opened => opened?,
        };
        match thumbnail::make(file, content_type) {
            Ok(made) => storage.put(&thumbnail_key(key), &made.bytes).map(|()| Ok(made.media_type)),
            Err(reason) => Ok(Err(reason)),
        }
    };
    match failed_to(spawn_blocking(work).await, "make a thumbnail")? {
        Ok(media_type) => {
            if !note(app, id, media_type).await? {
                let storage = app.storage.clone();
                failed_to(spawn_blocking(move || storage.remove(&thumbnail)).await, "remove a thumbnail")?;
            }
            Ok(())
        }
        Err(reason) => {
            note(app, id, "").await?;
            Err(Failure::Park(format!("there can be no thumbnail of upload {id}: {reason}")))
        }
    }
}

/// Says what came of it; false when the upload was deleted meanwhile.
async fn note(app: &App, id: i64, media_type: &'static str) -> Result<bool, Failure> {
    let work = move |conn: &mut Conn| Ok((store::set_thumbnail(conn, id, media_type)?, Effects::default()));
    Ok(app.db.write(Box::new(work)).await? > 0)
}

fn failed_to<T, E: std::fmt::Display>(done: Result<io::Result<T>, E>, what: &str) -> Result<T, Failure> {
    match done {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Failure::Retry(format!("cannot {what}: {error}"))),
        Err(panic) => Err(Failure::Park(format!("cannot {what}: {panic}"))),
    }
}

/// Removes files that no row knows: of writes that were broken off between the file and its row. Before the first
/// request is taken; `alone` says that no other server writes to this storage.
///
/// # Errors
/// When the folder or the database cannot be read.
pub fn sweep(conn: &mut Conn, storage: &Storage, alone: bool) -> Result<(), Error> {
    let refused = |error: io::Error| Error::Internal(format!("the folder of uploads cannot be swept: {error}"));
    let files = storage.sweep(alone).map_err(refused)?;
    for part in files.chunks(500) {
        let whole = |name: &String| name.trim_end_matches("-thumbnail").to_owned();
        let keys: Vec<String> = part.iter().map(whole).collect();
        let known = store::known(conn, &keys)?;
        for name in part.iter().filter(|name| !known.contains(&whole(name))) {
            log::info!("removing the file {name}: no upload has it");
            storage.remove(name).map_err(refused)?;
        }
    }
    Ok(())
}
