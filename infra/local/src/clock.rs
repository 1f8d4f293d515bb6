//! The one clock, kept: where it was moved to survives a restart.

use std::io;

use escrow_domain::time::{Period, Timestamp};
use escrow_http::clock::Clock;

use crate::folder::Folder;

/// Milliseconds ahead of the system's time, as decimal text.
const FILE: &str = "clock";
/// 9000-01-01T00:00:00Z. Later moments have no place in RFC 3339 once deadlines are added to them.
const END_OF_TIME: Timestamp = Timestamp::from_seconds(221_845_392_000);

/// The clock was not moved.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// It would leave the calendar.
    #[error("the clock cannot be moved beyond the year 8999")]
    TooFar,
    /// Where it would be cannot be kept.
    #[error("the clock's offset cannot be kept: {0}")]
    Io(#[from] io::Error),
    /// What was kept cannot be read.
    #[error("the clock's offset in the data folder is not a number of milliseconds")]
    Unreadable,
}

/// The clock as the data folder has it.
///
/// # Errors
/// When what was kept cannot be read.
pub(crate) fn restored(folder: &Folder) -> Result<Clock, ClockError> {
    let Some(kept) = folder.read(FILE)? else { return Ok(Clock::system()) };
    let millis = std::str::from_utf8(&kept).ok().and_then(|text| text.trim().parse().ok());
    Ok(Clock::movable(Period::from_millis(millis.ok_or(ClockError::Unreadable)?)))
}

/// Moves the clock, after where it will be is on disk: time that was told once never comes back.
/// Whoever calls this lets nobody else move it meanwhile.
///
/// # Errors
/// When it would go too far or cannot be kept; it then stands where it was.
pub(crate) fn advance(clock: &Clock, folder: &Folder, by: Period) -> Result<Timestamp, ClockError> {
    if clock.now().after(by) >= END_OF_TIME {
        return Err(ClockError::TooFar);
    }
    folder.save(FILE, clock.offset().plus(by).as_millis().to_string().as_bytes())?;
    clock.advance(by);
    Ok(clock.now())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::Data;

    #[test]
    fn a_restart_finds_the_clock_where_it_was_moved_to() {
        let path = std::env::temp_dir().join(format!("holdfast-clock-{}", std::process::id()));
        let moved = {
            let folder = Folder::open(&Data::Folder(path.clone())).unwrap();
            let clock = restored(&folder).unwrap();
            advance(&clock, &folder, Period::days(7)).unwrap();
            assert!(matches!(advance(&clock, &folder, Period::days(u32::MAX)), Err(ClockError::TooFar)));
            clock.offset()
        };
        let folder = Folder::open(&Data::Folder(path.clone())).unwrap();
        assert_eq!(restored(&folder).unwrap().offset(), moved);
        drop(folder);
        std::fs::remove_dir_all(path).unwrap();
    }
}
