//! The words: an upload, what kinds of files are taken, and who may do what with it.

use diesel::prelude::*;
use serde::{Deserialize, Serialize};

use crate::caller::{Caller, Role, Who};
use crate::changes::{Entity, Recorded};
use crate::db::schema::uploads;
use crate::error::Error;
use crate::items::model::images::{Image, content_path, thumbnail_path};
use crate::time::Timestamp;

/// The longest name of a file, in characters.
const LONGEST_NAME: usize = 255;

/// An upload as the database has it; what is written out is what clients and the audit log see.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable, Serialize, Deserialize)]
#[diesel(table_name = uploads)]
pub struct Upload {
    /// Its id.
    pub id: i64,
    /// Its name in the storage.
    #[serde(skip)]
    pub key: String,
    /// As its sender called it, without folders and what does not belong into a name; at most 255 characters.
    pub filename: String,
    /// By its content.
    pub content_type: String,
    /// In bytes.
    pub size: i64,
    /// SHA-256, in hexadecimal digits.
    pub sha256: String,
    /// Who sent it.
    pub owner_id: i64,
    /// Its small picture's media type: absent until it was made, empty if there can be none.
    #[serde(skip)]
    pub thumbnail: Option<String>,
    /// Grows with each write: when it is given to another owner.
    #[serde(skip)]
    pub version: i64,
    /// When it came.
    pub created_at: Timestamp,
}

impl Recorded for Upload {
    const ENTITY: Entity = Entity::Upload;
    fn id(&self) -> i64 {
        self.id
    }
    fn version(&self) -> i64 {
        self.version
    }
}

/// An upload with where its content is.
#[derive(Debug, Clone, Serialize)]
pub struct Shown<'u> {
    /// The upload.
    #[serde(flatten)]
    pub upload: &'u Upload,
    /// The file itself.
    pub url: String,
    /// A small picture of it, if it is an image.
    pub thumbnail_url: Option<String>,
}

impl<'u> From<&'u Upload> for Shown<'u> {
    fn from(upload: &'u Upload) -> Self {
        let thumbnail_url = upload.is_image().then(|| thumbnail_path(upload.id));
        Self { upload, url: content_path(upload.id), thumbnail_url }
    }
}

impl Upload {
    /// Whether it can be an item's image.
    pub fn is_image(&self) -> bool {
        self.content_type.starts_with("image/")
    }

    /// What an item keeps of it.
    pub fn as_image(&self) -> Image {
        Image { id: self.id, filename: self.filename.clone(), content_type: self.content_type.clone(), size: self.size }
    }

    /// The name of its small picture in the storage.
    pub fn thumbnail_key(&self) -> String {
        thumbnail_key(&self.key)
    }
}

/// The name of a file's small picture in the storage.
pub fn thumbnail_key(key: &str) -> String {
    format!("{key}-thumbnail")
}

/// The kinds of files that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `image/jpeg`
    Jpeg,
    /// `image/png`
    Png,
    /// `image/webp`
    Webp,
    /// `application/pdf`
    Pdf,
}

impl Format {
    /// So many bytes of a file are enough to tell its kind.
    pub const ENOUGH: usize = 16;

    /// What a file is by its first bytes, whatever it is called. A PDF must begin as one: readers also take those
    /// that have something else before, which is how a file is two things at once.
    pub fn of(head: &[u8]) -> Option<Self> {
        let found = infer::get(head)?;
        match found.mime_type() {
            "image/jpeg" => Some(Self::Jpeg),
            "image/png" if head.starts_with(b"\x89PNG\r\n\x1a\n") => Some(Self::Png),
            "image/webp" if head.starts_with(b"RIFF") => Some(Self::Webp),
            "application/pdf" if head.starts_with(b"%PDF-") => Some(Self::Pdf),
            _ => None,
        }
    }

    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Pdf => "application/pdf",
        }
    }

    fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Pdf => "pdf",
        }
    }
}

/// A name that is only a name: no folders, nothing that moves or hides what is beside it; too long a one loses its
/// middle and keeps its ending.
pub fn clean_filename(sent: &str, format: Format) -> String {
    let name = sent.rsplit(['/', '\\']).next().unwrap_or_default();
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
    };
    let name: String = name.chars().filter(|c| !hidden(*c)).collect();
    let name = name.trim().trim_end_matches(['.', ' ']);
    if name.trim_matches('.').is_empty() {
        return format!("upload.{}", format.extension());
    }
    let length = name.chars().count();
    if length <= LONGEST_NAME {
        return name.to_owned();
    }
    let ending: String = match name.rsplit_once('.') {
        Some((_, ending)) if ending.chars().count() <= 10 => format!(".{ending}"),
        _ => String::new(),
    };
    let kept = LONGEST_NAME - ending.chars().count();
    name.chars().take(kept).chain(ending.chars()).collect()
}

/// A file that has come whole.
#[derive(Debug, Clone)]
pub struct NewUpload {
    /// Its name in the storage.
    pub key: String,
    /// As it is shown.
    pub filename: String,
    /// What it is.
    pub format: Format,
    /// In bytes.
    pub size: i64,
    /// SHA-256, in hexadecimal digits.
    pub sha256: String,
}

/// Whether somebody may send files (contract 3).
///
/// # Errors
/// 401 for who is not known, 403 for guests.
pub fn may_create(caller: &Caller) -> Result<(), Error> {
    match &caller.who {
        Who::System => Ok(()),
        Who::User(user) if user.role != Role::Guest => Ok(()),
        Who::User(_) | Who::Anonymous => Err(caller.refusal("send files")),
    }
}

/// Whether an upload is somebody's to use and remove (contract 3): the owner's and the admins'.
///
/// # Errors
/// 401 for who is not known, 403 for who is.
pub fn may_change(caller: &Caller, upload: &Upload) -> Result<(), Error> {
    let own = match &caller.who {
        Who::System => true,
        Who::Anonymous => false,
        Who::User(user) => user.role == Role::Admin || user.role == Role::User && user.id == upload.owner_id,
    };
    if own { Ok(()) } else { Err(caller.refusal("change this upload")) }
}

/// Whether somebody knows of an upload by itself, whatever it is attached to.
pub fn is_own(caller: &Caller, upload: &Upload) -> bool {
    caller.is_admin() || caller.user_id() == Some(upload.owner_id)
}
