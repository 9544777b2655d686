//! Where uploads lie: in a folder, each under a random name that nobody chose and the database alone knows. Nothing
//! of it is ever served as a folder. A file is written beside its place and put there when it is whole and on disk, so
//! that what is there is whole; what a killed server left half-written is swept away at the next start.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::Rng as _;
use sha2::{Digest as _, Sha256};

/// What is not yet whole.
const PARTIAL: &str = "partial";
/// Of several servers on one folder each may be writing: what is younger is left alone.
const ABANDONED: Duration = Duration::from_secs(3_600);

/// A folder of uploads.
#[derive(Debug, Clone)]
pub struct Storage {
    folder: PathBuf,
}

/// A file that is being written. Dropped, it is gone.
#[derive(Debug)]
pub struct Draft {
    file: File,
    path: PathBuf,
    hash: Sha256,
    size: u64,
}

/// A file that was written whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its name in the storage.
    pub key: String,
    /// In bytes.
    pub size: u64,
    /// SHA-256, in hexadecimal digits.
    pub sha256: String,
}

impl Storage {
    /// In this folder, which is made when the first file comes.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// Begins a file.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn begin(&self) -> io::Result<Draft> {
        let partial = self.folder.join(PARTIAL);
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&partial)?;
        let path = partial.join(random_name());
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        Ok(Draft { file, path, hash: Sha256::new(), size: 0 })
    }

    /// Puts a whole file in its place, on disk.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn keep(&self, draft: Draft) -> io::Result<Stored> {
        let key = random_name();
        let (size, sha256) = (draft.size, hex::encode(draft.hash.clone().finalize()));
        self.put_in_place(&draft, &key)?;
        Ok(Stored { key, size, sha256 })
    }

    /// Puts a file that is made of another one under a name of its own, in place of an older one.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn put(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        let mut draft = self.begin()?;
        draft.write(bytes)?;
        self.put_in_place(&draft, key)
    }

    fn put_in_place(&self, draft: &Draft, key: &str) -> io::Result<()> {
        draft.file.sync_all()?;
        fs::rename(&draft.path, self.path(key)?)?;
        // The name is on disk too.
        File::open(&self.folder)?.sync_all()
    }

    /// A file, for reading: never what a link leads to, never anything but a file.
    ///
    /// # Errors
    /// When it is not there.
    pub fn open(&self, key: &str) -> io::Result<File> {
        let flags = rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK;
        let flags = i32::try_from(flags.bits()).map_err(io::Error::other)?;
        let file = OpenOptions::new().read(true).custom_flags(flags).open(self.path(key)?)?;
        if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::NotFound.into()) }
    }

    /// Removes a file; one that is gone already is no error.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn remove(&self, key: &str) -> io::Result<()> {
        match fs::remove_file(self.path(key)?) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }

    /// Removes what nobody is writing any more, and answers the files that are whole and old enough to be known to
    /// the database if anybody knows them. `alone` says that no other server writes here.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn sweep(&self, alone: bool) -> io::Result<Vec<String>> {
        for (path, _) in old_files(&self.folder.join(PARTIAL), alone)? {
            fs::remove_file(path)?;
        }
        Ok(old_files(&self.folder, alone)?.into_iter().map(|(_, name)| name).collect())
    }

    fn path(&self, key: &str) -> io::Result<PathBuf> {
        let plain = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if plain { Ok(self.folder.join(key)) } else { Err(io::ErrorKind::InvalidInput.into()) }
    }
}

impl Draft {
    /// Adds to the file.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all(bytes)?;
        self.hash.update(bytes);
        self.size += u64::try_from(bytes.len()).unwrap_or_default();
        Ok(())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // In its place already, or abandoned. What cannot be removed is swept at the next start.
        fs::remove_file(&self.path).ok();
    }
}

fn old_files(folder: &Path, alone: bool) -> io::Result<Vec<(PathBuf, String)>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry?;
        let about = entry.metadata()?;
        let old = alone || about.modified()?.elapsed().is_ok_and(|age| age > ABANDONED);
        if about.is_file()
            && old
            && let Ok(name) = entry.file_name().into_string()
        {
            found.push((entry.path(), name));
        }
    }
    Ok(found)
}

/// 128 bits that nobody can guess.
fn random_name() -> String {
    let mut bytes = [0_u8; 16];
    rand::rng().fill_bytes(&mut bytes);
    hex::encode(bytes)
}
