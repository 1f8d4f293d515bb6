//! Where the local system keeps what must survive a restart: one folder, used by one process at a time.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Where data is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// In this folder, which is created when it is not there.
    Folder(PathBuf),
    /// Nowhere: everything is gone with the process.
    Memory,
}

impl std::str::FromStr for Data {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(if text == "memory" { Self::Memory } else { Self::Folder(PathBuf::from(text)) })
    }
}

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process has it: two would overwrite each other's clock and sandbox.
    #[error("the data folder {0} is used by another holdfast; stop that one or choose another folder with --data")]
    InUse(String),
    /// It cannot be created, read or written.
    #[error("the data folder {folder} cannot be used: {source}")]
    Io {
        /// The folder.
        folder: String,
        /// What the operating system said.
        source: io::Error,
    },
}

/// A folder that this process alone uses, or none.
#[derive(Debug)]
pub(crate) struct Folder {
    path: Option<PathBuf>,
    // The operating system frees the lock when the file is closed, so a killed process leaves nothing behind.
    _lock: Option<File>,
}

impl Folder {
    /// Takes the folder for this process.
    ///
    /// # Errors
    /// When another process has it, or it cannot be created.
    pub(crate) fn open(data: &Data) -> Result<Self, FolderError> {
        let Data::Folder(path) = data else {
            return Ok(Self { path: None, _lock: None });
        };
        let failed = |source| FolderError::Io { folder: path.display().to_string(), source };
        private_folder(path).map_err(failed)?;
        let lock = File::create(path.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: Some(path.clone()), _lock: Some(lock) }),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse(path.display().to_string())),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// The path of a file in the folder; none when data is in memory.
    #[must_use]
    pub(crate) fn file(&self, name: &str) -> Option<PathBuf> {
        self.path.as_ref().map(|path| path.join(name))
    }

    /// The folder itself; none when data is in memory.
    #[must_use]
    pub(crate) fn path(&self) -> Option<&Path> {
        self.path.as_deref()
    }

    /// What a small file holds, if it is there.
    ///
    /// # Errors
    /// When it is there and cannot be read.
    pub(crate) fn read(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(file) = self.file(name) else { return Ok(None) };
        match fs::read(file) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces a small file, all or nothing, and returns once the disk has it. In memory there is nothing to do.
    ///
    /// # Errors
    /// When the file cannot be written; the former content then still stands.
    pub(crate) fn save(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let Some(path) = &self.path else { return Ok(()) };
        let draft = path.join(format!("{name}.new"));
        let mut file = private_file(&draft)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&draft, path.join(name))?;
        // The new name is only durable once the folder is.
        File::open(path)?.sync_all()
    }
}

/// A folder that only its owner can look into; one that is there stays as it is.
fn private_folder(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

/// A file that only its owner can read: the folder holds the key that signs tokens.
fn private_file(path: &Path) -> io::Result<File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
