//! Where the sandbox writes what it has promised: one file, one line of JSON for each change, on the disk before anybody
//! is told.
//!
//! A line is a whole change (a refund, its events, the answer kept under its key), so a kill leaves all of it or nothing:
//! a last line without its end is what was being written, nobody was told of it, and it is cut off.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::book::Record;

/// The first line: what this file is, so that a later version recognises it.
const HEADING: &str = "{\"holdfast\":\"stripe sandbox\",\"format\":1}\n";

/// The file could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// What the operating system said.
    #[error("the Stripe sandbox's file {path} cannot be used: {source}")]
    Io {
        /// The file.
        path: String,
        /// The cause.
        source: io::Error,
    },
    /// A line before the last one cannot be read: the file was changed by something else.
    #[error("the Stripe sandbox's file {path} is damaged in line {line}: {source}")]
    Damaged {
        /// The file.
        path: String,
        /// Its line, counted from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The file is of another kind, or of a newer format.
    #[error("the file {path} is not a journal of this version's Stripe sandbox")]
    Foreign {
        /// The file.
        path: String,
    },
    /// The journal was closed, or an earlier write failed: nothing may be promised any more.
    #[error("the Stripe sandbox's journal is closed")]
    Closed,
}

/// The open file; nothing in memory mode.
#[derive(Debug)]
pub(super) enum Journal {
    Memory,
    File { file: File, path: PathBuf },
    Closed,
}

impl Journal {
    /// Opens the file, creating it if need be, and answers every record in it, oldest first.
    pub(super) fn open(path: &Path) -> Result<(Self, Vec<Record>), JournalError> {
        let failed = |source| JournalError::Io { path: path.display().to_string(), source };
        let is_new = !path.exists();
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).map_err(failed)?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed)?;

        let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        if whole < text.len() {
            tracing::warn!(file = %path.display(), bytes = text.len() - whole, "cut off a line that was never finished");
            file.set_len(u64::try_from(whole).unwrap_or(u64::MAX)).map_err(failed)?;
            file.sync_all().map_err(failed)?;
        }
        let records = read(text.get(..whole).unwrap_or_default(), path)?;
        if whole == 0 {
            file.write_all(HEADING.as_bytes()).map_err(failed)?;
            file.sync_all().map_err(failed)?;
        }
        if is_new {
            sync_folder(path).map_err(failed)?;
        }
        Ok((Self::File { file, path: path.to_owned() }, records))
    }

    /// Adds one change, and returns once the disk has it. After a failure the journal is closed: what is on the disk is
    /// then unknown, and only reading it again can tell.
    pub(super) fn append(&mut self, change: &[Record]) -> Result<(), JournalError> {
        let (file, path) = match self {
            Self::Memory => return Ok(()),
            Self::Closed => return Err(JournalError::Closed),
            Self::File { file, path } => (file, path),
        };
        let written = line(change).and_then(|line| {
            file.write_all(&line)?;
            file.sync_data()
        });
        let failed = written.map_err(|source| JournalError::Io { path: path.display().to_string(), source });
        if failed.is_err() {
            *self = Self::Closed;
        }
        failed
    }

    /// Replaces everything that is written by these records: what is over and done takes no room for ever.
    pub(super) fn rewrite(&mut self, records: &[Record]) -> Result<(), JournalError> {
        let Self::File { path, .. } = self else { return Ok(()) };
        let path = path.clone();
        let failed = |source| JournalError::Io { path: path.display().to_string(), source };
        let draft = path.with_extension("new");
        let mut file = File::create(&draft).map_err(failed)?;
        let mut text = HEADING.as_bytes().to_vec();
        for record in records {
            text.extend(line(std::slice::from_ref(record)).map_err(failed)?);
        }
        file.write_all(&text).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        std::fs::rename(&draft, &path).map_err(failed)?;
        sync_folder(&path).map_err(failed)?;
        let file = OpenOptions::new().append(true).open(&path).map_err(failed)?;
        *self = Self::File { file, path };
        Ok(())
    }

    /// Nothing is written any more.
    pub(super) fn close(&mut self) {
        *self = Self::Closed;
    }

    pub(super) const fn is_closed(&self) -> bool {
        matches!(self, Self::Closed)
    }
}

fn line(change: &[Record]) -> io::Result<Vec<u8>> {
    // JSON never holds a raw line end, so one line is one change.
    let mut line = serde_json::to_vec(change)?;
    line.push(b'\n');
    Ok(line)
}

fn read(text: &[u8], path: &Path) -> Result<Vec<Record>, JournalError> {
    let mut records = Vec::new();
    for (number, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if number == 0 {
            let expected = HEADING.trim_end().as_bytes();
            if !line.is_empty() && line != expected {
                return Err(JournalError::Foreign { path: path.display().to_string() });
            }
            continue;
        }
        if line.is_empty() {
            continue;
        }
        let change: Vec<Record> = serde_json::from_slice(line).map_err(|source| JournalError::Damaged {
            path: path.display().to_string(),
            line: number + 1,
            source,
        })?;
        records.extend(change);
    }
    Ok(records)
}

/// A new name is only durable once its folder is.
fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
