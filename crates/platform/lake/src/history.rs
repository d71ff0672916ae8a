//! What a lake follows. The node implements it over the historian: nothing here knows of that.

use std::sync::Arc;

use bytes::Bytes;
use weir_model::TenantId;

/// A history of samples in files. Its methods may block.
pub trait History: Send + Sync {
    /// The files at this moment, of the tenants whose samples may leave.
    ///
    /// # Errors
    /// Why they cannot be told, in words for the operator.
    fn state(&self) -> Result<State, String>;
}

/// Asks whether all that a state has may still leave; gives why not, in words for the operator. It
/// may block.
pub type StillMayLeave = Arc<dyn Fn() -> Result<(), String> + Send + Sync>;

/// The files of a history at one moment: no two have a sample of the same tag and time.
pub struct State {
    /// How far the log is in the files.
    pub position: u64,
    /// The files by tenant and month.
    pub months: Vec<Month>,
    /// Asked before each file leaves and before each commit.
    pub still: StillMayLeave,
}

/// A tenant's files of one month.
pub struct Month {
    /// Whose.
    pub tenant: TenantId,
    /// The month (UTC), `2026-11`.
    pub month: String,
    /// The files; or why they cannot be told now, so that the table keeps what it has of the month.
    pub pieces: Result<Vec<Arc<dyn Piece>>, String>,
}

/// A file of a history.
pub trait Piece: Send + Sync {
    /// A name that no file of other content ever has: letters, digits, `-`, and `.parquet` at the end.
    fn name(&self) -> String;

    /// Opens it; none where it turns out to be empty. It can be read as long as what is given lives.
    ///
    /// # Errors
    /// Why it cannot be read.
    fn open(&self) -> Result<Option<Box<dyn PieceFile>>, String>;
}

/// An open file.
pub trait PieceFile: Send + Sync {
    /// Its bytes.
    fn bytes(&self) -> u64;
    /// Its rows.
    fn rows(&self) -> u64;
    /// The lowest and the highest tag.
    fn tags(&self) -> (u32, u32);
    /// The earliest and the latest time, in nanoseconds.
    fn times(&self) -> (i64, i64);
    /// Reads a part; exactly as long as asked for, except at the end.
    ///
    /// # Errors
    /// Why it cannot be read; damage too.
    fn read(&self, offset: u64, length: usize) -> Result<Bytes, String>;
}
