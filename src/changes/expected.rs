//! What the writer of an entity believes its version to be.

use crate::error::Error;

/// The version that somebody has seen and means to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// They did not say; the last one to write wins over versions they never saw.
    Unsaid,
    /// They did not say, and have to (`REQUIRE_IF_MATCH`).
    Required,
    /// Any version, so long as it is there (`If-Match: *`).
    Any,
    /// One of these.
    Versions(Vec<i64>),
}

impl Expected {
    /// Whether this version may be overwritten.
    ///
    /// # Errors
    /// 412 with what to do; 428 when nothing was said and something has to be.
    pub fn check(&self, version: i64) -> Result<(), Error> {
        match self {
            Self::Unsaid | Self::Any => Ok(()),
            Self::Required => Err(Error::PreconditionRequired),
            Self::Versions(versions) if versions.contains(&version) => Ok(()),
            Self::Versions(_) => Err(Error::PreconditionFailed(format!(
                "It has been changed meanwhile: its version is now {version}. Read it again and apply your change to that."
            ))),
        }
    }
}
