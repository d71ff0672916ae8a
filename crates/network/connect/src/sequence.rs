//! Sequence numbers that never go backwards, not even over a restart with the clock set back.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use weir_model::Timestamp;

use crate::spool::sync_dir;

/// How far ahead numbers are reserved on disk: two minutes of nanoseconds, so that one small write
/// every [`RENEW_BEFORE_NANOS`] is enough.
const RESERVE_NANOS: u64 = 120_000_000_000;

/// Reserved anew when less than this is left.
const RENEW_BEFORE_NANOS: u64 = 60_000_000_000;

/// Hands out sequence numbers for the batches of all devices.
///
/// A number is the time in nanoseconds, or the last number plus one where the clock does not
/// advance. What may be handed out is reserved on disk first; after a start the count continues
/// above the last reservation, whatever the clock says.
#[derive(Debug)]
pub(crate) struct Sequencer {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    last: u64,
    reserved: u64,
}

impl Sequencer {
    /// Continues above the reservation in the file and above `floor`. A missing or damaged file
    /// counts as none: then the clock alone decides.
    pub(crate) fn open(path: PathBuf, floor: u64, now: Timestamp) -> io::Result<Self> {
        let last = load(&path).unwrap_or(0).max(floor);
        let sequencer = Self { path, state: Mutex::new(State { last, reserved: last }) };
        sequencer.reserve(now)?;
        Ok(sequencer)
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Two integers are whole even if a holder of the lock panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next number. Where the clock has run past the reservation, numbers stay below it and
    /// count by one until it is renewed.
    pub(crate) fn next(&self, now: Timestamp) -> u64 {
        let mut state = self.state();
        state.last = (state.last + 1).max(nanos(now).min(state.reserved));
        state.last
    }

    /// Renews the reservation where little is left of it. Writes a file: not for async code.
    pub(crate) fn reserve(&self, now: Timestamp) -> io::Result<()> {
        let State { last, reserved } = *self.state();
        let from = last.max(nanos(now));
        if from.saturating_add(RENEW_BEFORE_NANOS) <= reserved {
            return Ok(());
        }
        let reserved = from.saturating_add(RESERVE_NANOS);
        save(&self.path, reserved)?;
        self.state().reserved = reserved;
        Ok(())
    }
}

fn nanos(time: Timestamp) -> u64 {
    u64::try_from(time.nanos()).unwrap_or(0)
}

fn load(path: &Path) -> Option<u64> {
    let bytes = fs::read(path).ok()?;
    let (number, sum) = bytes.split_first_chunk::<8>()?;
    let sum = u32::from_le_bytes(sum.try_into().ok()?);
    (crc32c::crc32c(number) == sum).then(|| u64::from_le_bytes(*number))
}

fn save(path: &Path, reserved: u64) -> io::Result<()> {
    let number = reserved.to_le_bytes();
    let bytes = [&number[..], &crc32c::crc32c(&number).to_le_bytes()].concat();
    match replace(path, &bytes) {
        // The file that is there has its room on the full disk; its bytes share a sector.
        Err(error) if error.kind() == io::ErrorKind::StorageFull && path.exists() => {
            let mut file = File::options().write(true).open(path)?;
            file.write_all(&bytes)?;
            file.sync_all()
        }
        replaced => replaced,
    }
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    path.parent().map_or(Ok(()), sync_dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_above_the_last_reservation_when_the_clock_was_set_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sequence");
        let late = Timestamp::from_nanos(1_800_000_000_000_000_000);
        let first = Sequencer::open(path.clone(), 0, late).unwrap();
        let a = first.next(late);
        assert_eq!(a, 1_800_000_000_000_000_000);
        assert_eq!(first.next(late), a + 1);
        // A clock that runs away is held at the reservation.
        let b = first.next(Timestamp::MAX);
        assert_eq!(b, 1_800_000_120_000_000_000);
        drop(first);

        let second = Sequencer::open(path.clone(), 0, Timestamp::from_nanos(5)).unwrap();
        assert!(second.next(Timestamp::from_nanos(6)) > b);
        drop(second);

        fs::write(&path, b"damaged").unwrap();
        let third = Sequencer::open(path, 77, Timestamp::from_nanos(5)).unwrap();
        assert_eq!(third.next(Timestamp::from_nanos(6)), 78);
    }
}
